(function_definition name: (_) @n) @function
(program (variable_assignment name: (variable_name) @n @variable))
(declaration_command (variable_assignment name: (variable_name) @n @variable))

(command name: (command_name (word) @call))
(command name: (command_name (word)) . argument: (_)) @import_call
