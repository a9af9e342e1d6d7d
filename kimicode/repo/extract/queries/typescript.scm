; Only TypeScript.
(abstract_class_declaration name: (_) @n) @class
(interface_declaration name: (_) @n) @interface
(type_alias_declaration name: (_) @n) @type_alias
(enum_declaration name: (_) @n) @enum
(enum_body name: (_) @n @constant)
(enum_body (enum_assignment name: (_) @n) @constant)
(module name: [(identifier) @n (nested_identifier) @n (string (string_fragment) @n)]) @namespace
(internal_module name: (_) @n) @namespace
(function_signature name: (_) @n) @function
[(method_signature name: (_) @n) (abstract_method_signature name: (_) @n)] @method
(interface_body (property_signature name: (_) @n) @field)
(public_field_definition name: (_) @n value: [(arrow_function) (function_expression)]) @method
(public_field_definition name: (_) @n) @field
(required_parameter (accessibility_modifier) pattern: (identifier) @n @promoted)
(optional_parameter (accessibility_modifier) pattern: (identifier) @n @promoted)

(class_heritage (extends_clause value: (_) @base_path))
(class_heritage (implements_clause (_) @base_path))
(extends_type_clause type: (_) @base_path)
(type_identifier) @type
