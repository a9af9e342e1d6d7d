(function_definition) @function
(declaration declarator: [
  (function_declarator declarator: (identifier))
  (pointer_declarator declarator: (function_declarator declarator: (identifier)))
  (pointer_declarator declarator: (pointer_declarator declarator: (function_declarator declarator: (identifier))))
]) @prototype
(function_declarator declarator: (identifier) @n)
(struct_specifier name: (type_identifier) @n body: (_)) @struct
(union_specifier name: (type_identifier) @n body: (_)) @union
(enum_specifier name: (type_identifier) @n body: (_)) @enum
(enumerator name: (_) @n @constant)
(type_definition type: (struct_specifier !name body: (_) @body) declarator: (type_identifier) @n) @struct
(type_definition type: (union_specifier !name body: (_) @body) declarator: (type_identifier) @n) @union
(type_definition type: (enum_specifier !name body: (_) @body) declarator: (type_identifier) @n) @enum
(type_definition type: [(struct_specifier name: (_)) (union_specifier name: (_)) (enum_specifier name: (_))] declarator: (type_identifier) @n @type_alias)
(type_definition type: [(type_identifier) (primitive_type) (sized_type_specifier)] declarator: (type_identifier) @n) @type_alias
(type_definition declarator: (pointer_declarator declarator: (type_identifier) @n @type_alias))
(type_definition declarator: (array_declarator declarator: (type_identifier) @n @type_alias))
(type_definition declarator: [
  (function_declarator declarator: [(type_identifier) @n (parenthesized_declarator (pointer_declarator declarator: (type_identifier) @n))])
  (pointer_declarator declarator: (function_declarator declarator: [(type_identifier) @n (parenthesized_declarator (pointer_declarator declarator: (type_identifier) @n))]))
]) @type_alias
(preproc_def name: (_) @n) @macro
(preproc_function_def name: (_) @n) @macro
(field_declaration declarator: (field_identifier) @n @field)
(pointer_declarator declarator: (field_identifier) @n @field)
(array_declarator declarator: (field_identifier) @n @field)
(declaration declarator: [
  (identifier) @n @variable
  (array_declarator declarator: [(identifier) @n @variable (array_declarator declarator: (identifier) @n @variable)])
  (pointer_declarator declarator: [(identifier) @n @variable (pointer_declarator declarator: (identifier) @n @variable)])
  (function_declarator declarator: (parenthesized_declarator (pointer_declarator declarator: (identifier) @n @variable)))
  (init_declarator declarator: [
    (identifier) @n @variable
    (array_declarator declarator: [(identifier) @n @variable (array_declarator declarator: (identifier) @n @variable)])
    (pointer_declarator declarator: [(identifier) @n @variable (array_declarator declarator: (identifier) @n @variable)])
    (function_declarator declarator: (parenthesized_declarator (pointer_declarator declarator: (identifier) @n @variable)))
  ])
])

(call_expression function: [(identifier) @call (field_expression field: (field_identifier) @call)])
(type_identifier) @type
(identifier) @name

(preproc_include) @import
