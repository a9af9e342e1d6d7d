(class_declaration declaration_kind: "class" name: (_) @n) @class
(class_declaration declaration_kind: "actor" name: (_) @n) @class
(class_declaration declaration_kind: "struct" name: (_) @n) @struct
(class_declaration declaration_kind: "enum" name: (_) @n) @enum
(class_declaration declaration_kind: "extension" name: (user_type (type_identifier) @n .)) @extension
(protocol_declaration name: (_) @n) @protocol
(function_declaration name: (_) @n) @function
(protocol_function_declaration name: (_) @n) @method
(init_declaration name: "init" @n) @constructor
(property_declaration name: (pattern bound_identifier: (_) @n @variable) !computed_value)
(property_declaration name: (pattern bound_identifier: (_) @n) computed_value: (_) @body) @property
(protocol_property_declaration name: (pattern bound_identifier: (_) @n @field))
(typealias_declaration name: (type_identifier) @n) @type_alias
(associatedtype_declaration name: (_) @n) @type_alias
(enum_entry name: (simple_identifier) @n @constant)
(macro_declaration (simple_identifier) @n) @macro
(lambda_literal) @scope
(modifiers (attribute) @mark)

(call_expression . [(simple_identifier) @call (navigation_expression suffix: (navigation_suffix suffix: (simple_identifier) @call))])
(inheritance_specifier inherits_from: (_) @base_path)
(attribute (user_type) @decorator_path)
(type_identifier) @type
(simple_identifier) @name

(import_declaration) @import
