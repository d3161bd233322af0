// Command infra is the CDK app: it writes the CloudFormation template of the rotation from clients.yaml. The cdk
// command runs it as cdk.json says; it makes no request and compiles nothing. With -release it writes the template of a
// release instead, for people without the CDK.
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/aws/jsii-runtime-go"

	"alboidc.internal/shared/clientsfile"
)

// Where the app finds its input, from the top of the repository; the environment can name others.
const (
	envClients    = "CLIENTS"
	envFunctions  = "FUNCTIONS"
	clientsPath   = "infra/clients.yaml"
	functionsPath = ".build/functions/arm64"
)

func main() {
	version := flag.String("release", "", "write the template of this version")
	template := flag.String("template", "", "where to write it")
	flag.Parse()
	if err := run(*version, *template); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(version, template string) error {
	functions := or(os.Getenv(envFunctions), functionsPath)
	if version != "" {
		if err := checkFunctions(functions); err != nil {
			return err
		}
		defer jsii.Close()
		return writeRelease(functions, version, template)
	}
	file, findings, err := clientsfile.Read(or(os.Getenv(envClients), clientsPath))
	if err != nil {
		return err
	}
	if err := findings.Err(); err != nil {
		return err
	}
	for _, w := range findings {
		fmt.Fprintln(os.Stderr, w)
	}
	for _, c := range file.Clients {
		fmt.Fprintf(os.Stderr, "%s: %d of the %d bytes of a parameter\n", c.Name, c.Size(), clientsfile.MaxDocument)
	}
	if err := checkFunctions(functions); err != nil {
		return err
	}
	defer jsii.Close()
	path := or(os.Getenv(envClients), clientsPath)
	known, err := readPlaces(placesPath(path))
	if err != nil {
		return err
	}
	p, err := place(&file, known, func(f File) error { return synth(f, nil, functions, "") })
	if err != nil || p == nil {
		return err
	}
	if changed, err := p.write(placesPath(path)); err != nil {
		return err
	} else if changed {
		fmt.Fprintf(os.Stderr, "%s was written: it says which stack has which client. Commit it.\n", placesPath(path))
	}
	return synth(file, p, functions, "")
}

func or(s, def string) string {
	if s == "" {
		return def
	}
	return s
}
