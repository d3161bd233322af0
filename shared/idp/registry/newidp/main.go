// Command newidp makes the folder of a new identity provider: an adapter that compiles, with the imitation that it
// passes the conformance suite against, a line in the registry, and a page. TODO marks where the vendor's facts go.
package main

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

func main() {
	root := flag.String("root", ".", "the repository")
	name := flag.String("name", "", "type of the provider in a configuration: lower-case letters and digits")
	model := flag.String("model", "", "how the provider keeps a client's secrets: "+list())
	flag.Parse()
	if err := write(*root, *name, *model); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func write(root, name, model string) error {
	files, err := generate(root, name, model)
	if err != nil {
		return err
	}
	for _, path := range slices.Sorted(maps.Keys(files)) {
		full := filepath.Join(root, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(full, files[path], 0o644); err != nil {
			return err
		}
		fmt.Println(path)
	}
	return nil
}
