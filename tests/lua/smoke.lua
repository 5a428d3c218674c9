assert(json.encode({ a = 1 }) == '{"a":1}')
