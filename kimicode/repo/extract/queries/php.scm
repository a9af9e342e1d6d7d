(class_declaration name: (_) @n) @class
(interface_declaration name: (_) @n) @interface
(trait_declaration name: (_) @n) @trait
(enum_declaration name: (_) @n) @enum
(enum_case name: (_) @n) @constant
(function_definition name: (_) @n) @function
(method_declaration name: (_) @n) @method
(namespace_definition name: (_) @n body: (_)) @namespace
(const_declaration (const_element (name) @n) @constant)
(property_declaration (property_element name: (variable_name (name) @n) @field))
(property_promotion_parameter name: (variable_name (name) @n @promoted))
(program (expression_statement (assignment_expression left: (variable_name (name) @n @variable))))
(function_call_expression function: (name) @_d arguments: (arguments . (argument [(string (string_content) @n) (encapsed_string (string_content) @n)])) (#eq? @_d "define")) @constant
[(anonymous_function) (arrow_function)] @scope
(attribute_list) @mark

(function_call_expression function: [(name) @call (qualified_name) @call_path])
(member_call_expression name: (name) @call)
(nullsafe_member_call_expression name: (name) @call)
(scoped_call_expression name: (name) @call)
(object_creation_expression [(name) @call (qualified_name) @call_path])
(base_clause [(name) @base (qualified_name) @base_path])
(class_interface_clause [(name) @base (qualified_name) @base_path])
(use_declaration [(name) @base (qualified_name) @base_path])
(attribute [(name) @decorator (qualified_name) @decorator_path])
(named_type [(name) @type (qualified_name) @type_path])
(scoped_call_expression scope: [(name) @type (qualified_name) @type_path])
(class_constant_access_expression . [(name) @type (qualified_name) @type_path])
(class_constant_access_expression (name) @named .)
(scoped_property_access_expression scope: [(name) @type (qualified_name) @type_path])
(binary_expression operator: "instanceof" right: [(name) @type (qualified_name) @type_path])

[
  (namespace_use_declaration)
  (require_expression) (require_once_expression) (include_expression) (include_once_expression)
] @import
