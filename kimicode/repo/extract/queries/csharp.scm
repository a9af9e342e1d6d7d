(class_declaration name: (_) @n) @class
(struct_declaration name: (_) @n) @struct
(interface_declaration name: (_) @n) @interface
(enum_declaration name: (_) @n) @enum
(record_declaration name: (_) @n) @class
(record_declaration (parameter_list (parameter name: (_) @n @field)))
(delegate_declaration name: (_) @n) @type_alias
(namespace_declaration name: (_) @n) @namespace
(file_scoped_namespace_declaration name: (_) @n) @namespace
(enum_member_declaration name: (_) @n) @constant
(method_declaration name: (_) @n) @method
(local_function_statement name: (_) @n) @function
(constructor_declaration name: (_) @n) @constructor
(property_declaration name: (_) @n) @property
(property_declaration accessors: (_) @body)
(property_declaration value: (arrow_expression_clause) @body)
(event_declaration name: (_) @n) @field
(event_field_declaration (variable_declaration (variable_declarator name: (_) @n) @field))
(field_declaration (variable_declaration (variable_declarator name: (_) @n) @field))
[(lambda_expression) (anonymous_method_expression)] @scope
(attribute_list) @mark

(invocation_expression function: [
  (identifier) @call
  (generic_name (identifier) @call)
  (member_access_expression name: [(identifier) @call (generic_name (identifier) @call)])
  (conditional_access_expression (member_binding_expression name: [(identifier) @call (generic_name (identifier) @call)]))
])
(object_creation_expression type: (_) @call_path)
(base_list [(identifier) (generic_name) (qualified_name)] @base_path)
(base_list (primary_constructor_base_type type: (_) @base_path))
(attribute name: (_) @decorator_path)
(_ type: [(identifier) (generic_name) (qualified_name) (nullable_type) (array_type)] @type_path)
(_ returns: [(identifier) (generic_name) (qualified_name) (nullable_type) (array_type)] @type_path)
(type_argument_list [(identifier) (generic_name) (qualified_name)] @type_path)
(identifier) @name

(using_directive) @import
