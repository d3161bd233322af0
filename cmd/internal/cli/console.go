package cli

import (
	"github.com/spf13/cobra"

	"alboidc.internal/cmd/internal/console"
	"alboidc.internal/cmd/internal/words"
)

func (a *app) console() *cobra.Command {
	var port int
	c := &cobra.Command{Use: "console", Short: "Show the clients and their rotations on a web page on this machine",
		Long: "Serves a web page on 127.0.0.1 that shows what status, watch, explain, history and evidence say, and\n" +
			"plans, starts, stops and redrives, each after you confirm it. It has your rights: keep the URL to " +
			"yourself.\n" +
			"It ends with Ctrl-C; what was started goes on.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			page, err := console.Open(cmd.Context(), console.Options{System: s, Now: a.Now, Port: port})
			if err != nil {
				return err
			}
			if !a.forPeople() {
				if err := a.write(map[string]string{"url": page.URL}); err != nil {
					return err
				}
			} else {
				a.print("stack %s in Region %s of account %s, as %s", s.Stack, s.Region, s.Account,
					words.OneLine(s.Caller))
				a.print("open %s", page.URL)
				a.print("Ctrl-C ends it.")
			}
			return page.Serve()
		}}
	c.Flags().IntVar(&port, "port", 0, "port on 127.0.0.1 (default: a free one)")
	return c
}
