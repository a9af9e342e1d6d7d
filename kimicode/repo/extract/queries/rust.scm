(struct_item name: (_) @n) @struct
(enum_item name: (_) @n) @enum
(union_item name: (_) @n) @union
(trait_item name: (_) @n) @trait
(impl_item type: [
  (type_identifier) @n
  (generic_type type: [(type_identifier) @n (scoped_type_identifier name: (_) @n)])
  (scoped_type_identifier name: (_) @n)
  (reference_type type: [(type_identifier) @n (generic_type type: (type_identifier) @n)])
]) @extension
(mod_item name: (_) @n body: (_)) @module
(function_item name: (_) @n) @function
(function_signature_item name: (_) @n) @function
(const_item name: (identifier) @n) @constant
(static_item name: (identifier) @n) @variable
(type_item name: (_) @n) @type_alias
(associated_type name: (_) @n) @type_alias
(macro_definition name: (_) @n) @macro
(field_declaration name: (_) @n) @field
(enum_variant name: (_) @n) @constant
(attribute_item) @mark
(closure_expression) @scope

(call_expression function: [
  (identifier) @call
  (scoped_identifier name: (_) @call)
  (field_expression field: (field_identifier) @call)
  (generic_function function: [(identifier) @call (scoped_identifier name: (_) @call) (field_expression field: (_) @call)])
])
(struct_expression name: [(type_identifier) @call (scoped_type_identifier name: (_) @call) (generic_type type: (type_identifier) @call)])
(macro_invocation macro: [(identifier) @call (scoped_identifier name: (_) @call)])
(token_tree (identifier) @call . (token_tree))
(impl_item trait: (_) @base_path)
(trait_item bounds: (trait_bounds (_) @base_path))
(attribute_item (attribute (_) @decorator_path))
(attribute_item (attribute arguments: (token_tree (identifier) @decorator)))
(type_identifier) @type
[(identifier) (shorthand_field_identifier)] @name

[(use_declaration) (extern_crate_declaration) (mod_item !body)] @import
