package mutate

var ofTheFunctions = map[string][]fault{}
