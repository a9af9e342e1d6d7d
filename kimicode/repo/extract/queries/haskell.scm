(data_type name: (_) @n) @type_alias
(newtype name: (_) @n) @type_alias
(type_synonym name: (_) @n) @type_alias
(type_family name: (_) @n) @type_alias
(data_family name: (_) @n) @type_alias
(class name: (_) @n) @class
(instance name: (_) @n) @extension
(data_constructor [(prefix name: (_) @n) (record name: (_) @n)]) @constant
(newtype_constructor name: (_) @n) @constant
(field_name (variable) @n @field)
(declarations [
  (function name: (_) @n)
  (bind name: (_) @n)
  (function (infix operator: (_) @n))
] @function)
(declarations (signature name: (_) @n) @function)
(class_declarations [(signature name: (_) @n) (function name: (_) @n) (bind name: (_) @n)] @method)
(instance_declarations [(function name: (_) @n) (bind name: (_) @n)] @method)
(class declarations: (_) @body)
(instance declarations: (_) @body)
(foreign_import signature: (signature name: (_) @n)) @function

(apply function: [(variable) @call (constructor) @call (qualified id: (_) @call)])
(infix left_operand: (variable) @call operator: (operator) @_o (#eq? @_o "$"))
(infix operator: (infix_id (variable) @call))
(instance name: (_) @base)
(deriving classes: [(name) @base (tuple (name) @base)])
(name) @type
[(variable) (constructor)] @name

(import) @import
