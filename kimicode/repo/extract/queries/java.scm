(class_declaration name: (_) @n) @class
(interface_declaration name: (_) @n) @interface
(annotation_type_declaration name: (_) @n) @interface
(enum_declaration name: (_) @n) @enum
(record_declaration name: (_) @n) @class
(record_declaration parameters: (formal_parameters (formal_parameter name: (_) @n @field)))
(method_declaration name: (_) @n) @method
(annotation_type_element_declaration name: (_) @n) @method
[(constructor_declaration name: (_) @n) (compact_constructor_declaration name: (_) @n)] @constructor
(field_declaration declarator: (variable_declarator name: (_) @n) @field)
(constant_declaration declarator: (variable_declarator name: (_) @n) @constant)
(enum_constant name: (_) @n) @constant
(lambda_expression) @scope
[(annotation) (marker_annotation)] @mark

(method_invocation name: (_) @call)
(object_creation_expression type: (_) @call_path)
(method_reference (identifier) @named .)
(superclass (_) @base_path)
(super_interfaces (type_list (_) @base_path))
(extends_interfaces (type_list (_) @base_path))
(annotation name: (_) @decorator_path)
(marker_annotation name: (_) @decorator_path)
(type_identifier) @type
(identifier) @name

(import_declaration) @import
