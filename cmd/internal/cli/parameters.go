package cli

import (
	"encoding/json"

	"github.com/spf13/cobra"

	"alboidc.internal/cmd/internal/system"
	"alboidc.internal/shared/clientsfile"
)

// parameter is a value as CloudFormation's commands read it from a file.
type parameter struct {
	Key   string `json:"ParameterKey"`
	Value string `json:"ParameterValue"`
}

func (a *app) parameters() *cobra.Command {
	var file, bucket string
	c := &cobra.Command{Use: "parameters [CLIENT] --bucket BUCKET",
		Short: "Write the released template's parameters for a client of clients.yaml",
		Long: "Checks the file, and prints the parameters with which the template of a release deploys the " +
			"client: as JSON " +
			"that\naws cloudformation deploy --parameter-overrides file://… reads. It needs no account. CLIENT may " +
			"be left out " +
			"if\nthere is one only.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			f, findings, err := clientsfile.Read(file)
			if err == nil {
				err = findings.Err()
			}
			if err != nil {
				return &system.Error{Text: err.Error()}
			}
			client, err := chooseClient(f, args)
			if err != nil {
				return err
			}
			all, err := f.Parameters(client)
			if err != nil {
				return &system.Error{Text: err.Error()}
			}
			list := []parameter{{clientsfile.ParameterBucket, bucket}}
			for _, p := range all {
				if p.Value != "" && p.Value != p.Default {
					list = append(list, parameter{p.Name, p.Value})
				}
			}
			if !a.forPeople() {
				return a.write(list)
			}
			text, err := json.MarshalIndent(list, "", "  ")
			a.print("%s", text)
			return err
		}}
	c.Flags().StringVar(&file, "file", "infra/clients.yaml", "the file that has the client")
	c.Flags().StringVar(&bucket, "bucket", "", "the bucket, in the stack's Region, that has the release's files")
	_ = c.MarkFlagRequired("bucket")
	return c
}

// chooseClient returns the client that is named, or the only one.
func chooseClient(f clientsfile.File, args []string) (clientsfile.Client, error) {
	for _, c := range f.Clients {
		if len(args) == 0 && len(f.Clients) == 1 || len(args) > 0 && c.Name == args[0] {
			return c, nil
		}
	}
	if len(args) == 0 {
		return clientsfile.Client{}, &system.Error{Text: "the file has several clients: name one"}
	}
	return clientsfile.Client{}, &system.Error{Text: "the file has no client " + args[0]}
}
