; A component in JSX is used as a function is.
(jsx_opening_element name: [(identifier) @call (member_expression property: (property_identifier) @call)])
(jsx_self_closing_element name: [(identifier) @call (member_expression property: (property_identifier) @call)])
