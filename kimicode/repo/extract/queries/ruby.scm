(class name: [(constant) @n (scope_resolution name: (_) @n)]) @class
(module name: [(constant) @n (scope_resolution name: (_) @n)]) @module
(method name: (_) @n) @method
(singleton_method name: (_) @n) @method
(alias name: (_) @n) @method
(assignment left: (constant) @n) @constant
(assignment left: (global_variable) @n @variable)
(assignment left: (instance_variable) @n @own)
(call method: (identifier) @_m arguments: (argument_list . (simple_symbol) @n @property [(simple_symbol) @n @property (string) (pair) (hash) (constant)]*)
  (#any-of? @_m "attr_accessor" "attr_reader" "attr_writer" "attribute" "cattr_accessor" "mattr_accessor" "define_method" "alias_method" "delegate"))
(superclass (_) @base_path)

(call method: [(identifier) (constant)] @call)
(call receiver: [(constant) (scope_resolution)] @new_path)
(call !receiver arguments: (argument_list [(constant) (scope_resolution)] @mixin_path))
(constant) @name
(identifier) @name

(call !receiver method: (identifier) arguments: (argument_list . [(string) (simple_symbol)])) @import_call
