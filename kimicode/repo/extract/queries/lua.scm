(function_declaration name: [(identifier) @n (dot_index_expression field: (_) @n) (method_index_expression method: (_) @n)]) @function
(assignment_statement (variable_list . name: [(identifier) @n (dot_index_expression field: (_) @n)] .) (expression_list . value: (function_definition))) @function
(field name: (identifier) @n value: (function_definition)) @function
(chunk (variable_declaration (variable_list name: (identifier) @n @variable)))
(chunk (variable_declaration (assignment_statement (variable_list name: (identifier) @n @variable) (expression_list . value: [
  (number) (string) (nil) (true) (false) (table_constructor) (function_call) (identifier) (dot_index_expression) (bracket_index_expression)
  (binary_expression) (unary_expression) (parenthesized_expression)
]))))
(chunk (assignment_statement (variable_list name: [(identifier) @n @variable (dot_index_expression field: (_) @n @variable)]) (expression_list . value: [
  (number) (string) (nil) (true) (false) (table_constructor) (function_call) (identifier) (dot_index_expression) (bracket_index_expression)
  (binary_expression) (unary_expression) (parenthesized_expression)
])))
(function_definition) @scope
(variable_declaration) @wrap

(function_call name: [(identifier) @call (dot_index_expression field: (_) @call) (method_index_expression method: (_) @call)])
(identifier) @name

(variable_declaration (assignment_statement (expression_list . value: (function_call name: (identifier))))) @import_binding
(function_call name: (identifier)) @import_call
