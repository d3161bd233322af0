// Command infra is the CDK app: it writes the CloudFormation template of the rotation from clients.yaml. The cdk
// command runs it as cdk.json says; it makes no request and compiles nothing. With -release it writes the template of a
// release instead, for people without the CDK.
package main

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"slices"

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
	functions := cmp.Or(os.Getenv(envFunctions), functionsPath)
	if version != "" {
		if err := checkFunctions(functions); err != nil {
			return err
		}
		defer jsii.Close()
		return writeRelease(functions, version, template)
	}
	path := cmp.Or(os.Getenv(envClients), clientsPath)
	file, findings, err := clientsfile.Read(path)
	if err != nil {
		return err
	}
	if err := findings.Err(); err != nil {
		return err
	}
	if len(findings) > 0 {
		fmt.Fprintln(os.Stderr, findings)
	}
	tellSizes(file)
	if err := checkFunctions(functions); err != nil {
		return err
	}
	defer jsii.Close()
	known, err := readPlaces(placesPath(path))
	if err != nil {
		return err
	}
	p, err := place(&file, known, func(f File) error { return synth(f, besides(f, file), functions, "") })
	if err != nil {
		return err
	}
	if p != nil || known != nil || len(file.Clients) >= noted {
		if err := note(placesPath(path), file, known, p); err != nil {
			return err
		}
	}
	if p == nil {
		return nil
	}
	return synth(file, p, functions, "")
}

// tellSizes says how much room each client has left in its parameter; where there are many, the largest.
func tellSizes(file File) {
	clients := file.Clients
	if len(clients) >= noted {
		clients = []Client{slices.MaxFunc(clients, func(a, b Client) int { return cmp.Compare(a.Size(), b.Size()) })}
		fmt.Fprint(os.Stderr, "The largest client: ")
	}
	for _, c := range clients {
		fmt.Fprintf(os.Stderr, "%s: %d of the %d bytes of a parameter\n", c.Name, c.Size(), clientsfile.MaxDocument)
	}
}

// note writes the places down. p is nil if the stack itself has all clients.
func note(path string, file File, known, p *places) error {
	if p == nil {
		all := firstPlaces(file, len(file.Clients))
		p = &all
	}
	if away, unknown := known.missing(file); len(away) > 0 {
		fmt.Fprintf(os.Stderr, "Clients without a place in %s: %s. Places of clients that are not in the file: %s. "+
			"If two of them are one client, whose place is misspelt, correct that there before you deploy: "+
			"it must not move.\n",
			path, clientsfile.Some(unknown, 10), clientsfile.Some(away, 10))
	}
	p.keep(known)
	changed, err := p.write(path)
	if err != nil || !changed {
		return err
	}
	fmt.Fprintf(os.Stderr, "%s was written: it says which stack has which client. Commit it.\n", path)
	if known == nil && p.Stacks > 0 {
		fmt.Fprintf(os.Stderr,
			"It has the first %d clients of the file in the stack %s. If that has others already, correct it "+
				"before you deploy: nothing that is deployed may move (docs/deploying.md#hundreds-of-clients).\n",
			p.in(0), file.Stack.Name)
	}
	return nil
}
