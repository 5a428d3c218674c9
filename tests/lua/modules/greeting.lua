return { hello = function(who) return "hello " .. who end }
