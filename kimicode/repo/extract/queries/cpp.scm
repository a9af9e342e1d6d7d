; What C++ has beside C.
(class_specifier name: (_) @n body: (_)) @class
(struct_specifier name: [(template_type name: (_) @n) (qualified_identifier name: (type_identifier) @n)] body: (_)) @struct
(namespace_definition name: (_) @n) @namespace
(alias_declaration name: (_) @n) @type_alias
(concept_definition name: (_) @n) @type_alias
(field_declaration declarator: [
  (function_declarator)
  (pointer_declarator declarator: (function_declarator))
  (reference_declarator (function_declarator))
]) @prototype
(declaration declarator: [
  (function_declarator declarator: [(destructor_name) (operator_name)])
  (reference_declarator (function_declarator declarator: (identifier)))
]) @prototype
(function_declarator declarator: [
  (field_identifier) @n
  (destructor_name) @n
  (operator_name) @n
  (qualified_identifier name: [
    (identifier) @n
    (destructor_name) @n
    (operator_name) @n
    (template_function name: (_) @n)
    (qualified_identifier name: [
      (identifier) @n
      (destructor_name) @n
      (operator_name) @n
      (template_function name: (_) @n)
      (qualified_identifier name: [(identifier) @n (destructor_name) @n (operator_name) @n])
    ])
  ])
])
(lambda_expression) @scope
(template_declaration) @wrap

(call_expression function: [
  (qualified_identifier) @call_path
  (template_function name: (_) @call)
  (field_expression field: [(template_method name: (_) @call) (dependent_name (template_method name: (_) @call))])
])
(new_expression type: (_) @call_path)
(base_class_clause [(type_identifier) (template_type) (qualified_identifier)] @base_path)
(field_initializer . (field_identifier) @named)

(using_declaration) @import
