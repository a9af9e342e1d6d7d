; Definitions. @n is the name of the definition around it.
(class_definition name: (identifier) @n) @class
(function_definition name: (identifier) @n) @function
(type_alias_statement left: (type . [(identifier) @n (generic_type . (identifier) @n)])) @type_alias
(lambda) @scope
(decorator) @mark
(expression_statement (assignment left: (identifier) @n @variable))
(expression_statement (assignment right: (assignment left: (identifier) @n @variable)))
(expression_statement (assignment left: (pattern_list (identifier) @n @variable)))
(expression_statement (assignment left: (tuple_pattern (identifier) @n @variable)))
(expression_statement (assignment left: (pattern_list (attribute object: (identifier) attribute: (identifier) @n) @own)))
(expression_statement (assignment left: (attribute object: (identifier) attribute: (identifier) @n) @own))

; References
(call function: [(identifier) @call (attribute attribute: (identifier) @call)])
(class_definition superclasses: (argument_list [
  (identifier) @base
  (attribute attribute: (identifier) @base)
  (subscript value: [(identifier) @base (attribute attribute: (identifier) @base)])
  (keyword_argument value: [(identifier) @base (attribute attribute: (identifier) @base)])
]))
(class_definition superclasses: (argument_list (subscript subscript: (_) @types)))
(decorator [
  (identifier) @decorator
  (attribute attribute: (identifier) @decorator)
  (call function: [(identifier) @decorator (attribute attribute: (identifier) @decorator)])
])
(type) @types
(identifier) @name

; Imports
[(import_statement) (import_from_statement) (future_import_statement)] @import
