(variable_declaration . (identifier) @n (struct_declaration)) @struct
(variable_declaration . (identifier) @n (enum_declaration)) @enum
(variable_declaration . (identifier) @n (union_declaration)) @union
(variable_declaration . (identifier) @n (error_set_declaration)) @enum
(variable_declaration "const" . (identifier) @n) @constant
(variable_declaration "var" . (identifier) @n) @variable
(function_declaration name: (_) @n) @function
(struct_declaration (container_field name: (identifier) @n @field))
(union_declaration (container_field name: (identifier) @n @field))
(enum_declaration (container_field name: (identifier) @n @constant))
(enum_declaration (container_field type: (identifier) @n @constant))
(error_set_declaration (identifier) @n @constant)

(call_expression function: [(identifier) @call (field_expression member: (_) @call)])
(struct_initializer . [(identifier) @call (field_expression member: (_) @call)])
(_ type: [(identifier) (field_expression) (pointer_type) (nullable_type) (slice_type) (error_union_type) (array_type)] @type_path)
(identifier) @name

(variable_declaration (builtin_function)) @import_binding
(variable_declaration (field_expression (builtin_function))) @import_binding
(builtin_function) @import_call
