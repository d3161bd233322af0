package mutate

var ofWhatTheyUse = map[string][]fault{}
