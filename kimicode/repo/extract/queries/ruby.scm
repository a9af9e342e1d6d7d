(class name: [(constant) @n (scope_resolution name: (_) @n)]) @class
(module name: [(constant) @n (scope_resolution name: (_) @n)]) @module
(method name: (_) @n) @method
(singleton_method name: (_) @n) @method
(alias name: (_) @n) @method
(assignment left: (constant) @n) @constant
(assignment left: (global_variable) @n @variable)
(assignment left: (instance_variable) @n @own)
(call method: (identifier) @_m arguments: (argument_list (simple_symbol) @n @property)
  (#any-of? @_m "attr_accessor" "attr_reader" "attr_writer" "attribute" "cattr_accessor" "mattr_accessor" "define_method" "alias_method" "delegate"))
(superclass (_) @base_path)

(call method: [(identifier) (constant)] @call)
(call receiver: [(constant) (scope_resolution)] @call_path method: (identifier) @_new (#eq? @_new "new"))
(call method: (identifier) @_i arguments: (argument_list [(constant) (scope_resolution)] @base_path) (#any-of? @_i "include" "extend" "prepend"))
(constant) @name
(identifier) @name

(call method: (identifier) @_r arguments: (argument_list . (string)) (#any-of? @_r "require" "require_relative" "load")) @import
(call method: (identifier) @_r arguments: (argument_list . (simple_symbol) (string)) (#eq? @_r "autoload")) @import
