; What JavaScript and TypeScript have in common.
(function_declaration name: (identifier) @n) @function
(generator_function_declaration name: (identifier) @n) @function
(class_declaration name: (_) @n) @class
(class name: (_) @n) @class
(method_definition name: [(property_identifier) (private_property_identifier)] @n) @method
(variable_declarator name: (identifier) @n value: [(arrow_function) (function_expression) (generator_function)]) @function
(variable_declarator name: (identifier) @n value: (class)) @class
(lexical_declaration kind: "const" (variable_declarator name: (identifier) @n) @constant)
(lexical_declaration kind: "let" (variable_declarator name: (identifier) @n) @variable)
(variable_declaration (variable_declarator name: (identifier) @n) @variable)
(variable_declarator name: (object_pattern [
  (shorthand_property_identifier_pattern) @n @variable
  (object_assignment_pattern left: (shorthand_property_identifier_pattern) @n @variable)
  (pair_pattern value: (identifier) @n @variable)
]))
(variable_declarator name: (array_pattern (identifier) @n @variable))
(pair key: (property_identifier) @n value: [(arrow_function) (function_expression)]) @method
(assignment_expression left: (member_expression property: (property_identifier) @n) right: [(function_expression) (arrow_function)]) @function
(assignment_expression left: (member_expression object: (this) property: (property_identifier) @n) @own)
[(arrow_function) (function_expression) (generator_function)] @scope
(decorator) @mark
(export_statement) @wrap
(lexical_declaration) @wrap
(variable_declaration) @wrap

(call_expression function: [(identifier) @call (member_expression property: [(property_identifier) (private_property_identifier)] @call)])
(new_expression constructor: [(identifier) @call (member_expression property: (property_identifier) @call)])
(decorator (_) @decorator_path)
[(identifier) (shorthand_property_identifier)] @name

(import_statement) @import
(export_statement source: (_)) @import
(variable_declarator value: (call_expression function: (identifier) arguments: (arguments . (string)))) @import_binding
(variable_declarator value: (member_expression object: (call_expression function: (identifier) arguments: (arguments . (string))))) @import_binding
(call_expression function: [(identifier) (import)] arguments: (arguments . (string))) @import_call
