(class_definition name: (_) @n) @class
(trait_definition name: (_) @n) @trait
(object_definition name: (_) @n) @object
(package_object name: (_) @n) @object
(enum_definition name: (_) @n) @enum
(simple_enum_case name: (_) @n) @constant
(full_enum_case name: (_) @n) @constant
(function_definition name: (_) @n) @function
(function_declaration name: (_) @n) @function
(given_definition name: (_) @n) @object
(type_definition name: (_) @n) @type_alias
(val_definition pattern: [(identifier) @n @variable (identifiers (identifier) @n @variable) (tuple_pattern (identifier) @n @variable)])
(var_definition pattern: [(identifier) @n @variable (identifiers (identifier) @n @variable) (tuple_pattern (identifier) @n @variable)])
(val_declaration name: (identifier) @n @variable)
(var_declaration name: (identifier) @n @variable)
(class_parameters (class_parameter name: (_) @n @field))
(lambda_expression) @scope
(annotation) @mark

(call_expression function: [
  (identifier) @call
  (field_expression field: (_) @call)
  (generic_function function: [(identifier) @call (field_expression field: (_) @call)])
])
(instance_expression . (_) @call_path)
(extends_clause [(type_identifier) (generic_type) (stable_type_identifier)] @base_path)
(annotation name: (_) @decorator_path)
(type_identifier) @type
(identifier) @name

(import_declaration) @import
