; A component in JSX is used as a function is.
(jsx_opening_element name: (_) @jsx_path)
(jsx_self_closing_element name: (_) @jsx_path)
