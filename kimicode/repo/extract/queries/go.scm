(function_declaration name: (_) @n) @function
(method_declaration name: (_) @n) @method
(type_spec name: (_) @n type: (struct_type)) @struct
(type_spec name: (_) @n type: (interface_type)) @interface
(type_spec name: (_) @n) @type_alias
(type_alias name: (_) @n) @type_alias
(struct_type (field_declaration_list) @body)
(type_declaration) @wrap
(field_declaration name: (field_identifier) @n @field)
(method_elem name: (_) @n) @method
(const_spec name: (identifier) @n @constant)
(var_spec name: (identifier) @n @variable)
(func_literal) @scope

(call_expression function: [
  (identifier) @call
  (selector_expression field: (_) @call)
  (parenthesized_expression (selector_expression field: (_) @call))
])
(type_conversion_expression type: (generic_type) @call_path)
(composite_literal type: [(type_identifier) @call (qualified_type name: (_) @call) (generic_type) @call_path])
(field_declaration !name type: (_) @base_path)
(interface_type (type_elem . [(type_identifier) @base (qualified_type name: (_) @base)] .))
(type_identifier) @type
(identifier) @name
(selector_expression field: (field_identifier) @name)

(import_spec) @import
