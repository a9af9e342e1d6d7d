(class_declaration "class" name: (_) @n) @class
(class_declaration "interface" name: (_) @n) @interface
(class_declaration (enum_class_body)) @enum
(object_declaration name: (_) @n) @object
(companion_object name: (_) @n) @object
(function_declaration name: (_) @n) @function
(secondary_constructor "constructor" @n) @constructor
(property_declaration (variable_declaration (identifier) @n)) @variable
(property_declaration (multi_variable_declaration (variable_declaration (identifier) @n @variable)))
(class_parameter ["val" "var"] . (identifier) @n @field)
(enum_entry . (identifier) @n) @constant
(type_alias . type: (_) @n) @type_alias
[(lambda_literal) (anonymous_function) (getter) (setter) (anonymous_initializer)] @scope
[(class_body) (enum_class_body) (function_body)] @body
(modifiers (annotation) @mark)

(call_expression . [(identifier) @call (navigation_expression (identifier) @call .)])
(delegation_specifier [(user_type) @base_path (constructor_invocation (user_type) @base_path) (explicit_delegation . (user_type) @base_path)])
(annotation [(user_type) @decorator_path (constructor_invocation (user_type) @decorator_path)])
(user_type) @type_path
(identifier) @name

(import) @import
