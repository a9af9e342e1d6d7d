; Only JavaScript; its grammar knows JSX as well.
(field_definition property: [(property_identifier) (private_property_identifier)] @n value: [(arrow_function) (function_expression)]) @method
(field_definition property: [(property_identifier) (private_property_identifier)] @n) @field
(class_heritage (_) @base_path)
(jsx_opening_element name: (_) @jsx_path)
(jsx_self_closing_element name: (_) @jsx_path)
