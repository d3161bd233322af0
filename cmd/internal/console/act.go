package console

import (
	"fmt"
	"net/http"
	"strings"

	"alboidc.internal/cmd/internal/system"
	"alboidc.internal/cmd/internal/words"
	"alboidc.internal/shared/rotation"
)

// confirmed reports whether a person has confirmed what a form asks for: it names what it is about.
func confirmed(r *http.Request, about string) error {
	if r.PostForm.Get("confirm") != about {
		return &system.Error{Text: fmt.Sprintf("it was not confirmed: confirm must be %s", about)}
	}
	return nil
}

// startOne starts an execution of a client.
func (c *Console) startOne(w http.ResponseWriter, r *http.Request) {
	client := r.PathValue("client")
	id, err := c.start(client, r)
	if err != nil {
		c.fail(w, err)
		return
	}
	c.mu.Lock()
	c.started[id] = c.Now()
	c.mu.Unlock()
	c.expire()
	http.Redirect(w, r, c.path+"executions/"+words.Name(id), http.StatusSeeOther)
}

func (c *Console) start(client string, r *http.Request) (string, error) {
	if err := confirmed(r, client); err != nil {
		return "", err
	}
	request := rotation.Request{Client: client, Reason: strings.TrimSpace(r.PostForm.Get("reason"))}
	needs := "" // a reason, which says that
	switch r.PathValue("action") {
	case "plan":
		request.DryRun = true
	case "rotate":
	case "leak":
		request.Emergency, needs = true, "what has leaked"
	case "repair":
		request.Repair, needs = true, "how the secret died"
	default:
		return "", &system.Error{Text: "there is no such action"}
	}
	if needs != "" && request.Reason == "" {
		return "", &system.Error{Text: "reason: is missing; say " + needs + ", or the number of the incident"}
	}
	all, err := c.readFleet()
	if err != nil {
		return "", err
	}
	if _, is := all.clients[client]; !is {
		return "", &system.Error{Text: fmt.Sprintf("stack %s has no client %s", c.System.Stack, client)}
	}
	ctx, cancel := c.asking()
	defer cancel()
	return c.System.StartAs(ctx, request, c.nameFor(r))
}

// nameFor is the name of the execution that a form starts: a form that is sent again starts no second one.
func (c *Console) nameFor(r *http.Request) string {
	form := r.URL.Path + " " + r.PostForm.Get("once")
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.names[form] == "" {
		c.names[form] = system.NewName(r.PathValue("client"), c.Now())
	}
	return c.names[form]
}

// change stops or redrives an execution.
func (c *Console) change(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	if err := c.stopOrRedrive(name, r); err != nil {
		c.fail(w, err)
		return
	}
	c.expire()
	c.runs.at(c.System.ID(name)).expire()
	http.Redirect(w, r, c.path+"executions/"+name, http.StatusSeeOther)
}

func (c *Console) stopOrRedrive(name string, r *http.Request) error {
	if err := confirmed(r, name); err != nil {
		return err
	}
	if !executionName.MatchString(name) {
		return errNoExecution
	}
	ctx, cancel := c.asking()
	defer cancel()
	id := c.System.ID(name)
	switch r.PathValue("action") {
	case "stop":
		e, err := c.System.Execution(ctx, id)
		if err != nil {
			return err
		}
		if !e.Running() {
			return &system.Error{Text: fmt.Sprintf("%s does not run: it ended as %s", name, words.Ending(e, c.Now()))}
		}
		why := strings.TrimSpace(r.PostForm.Get("reason"))
		if why == "" {
			why = "stopped on rotator's console"
		}
		return c.System.Stop(ctx, id, why)
	case "redrive":
		return c.System.Redrive(ctx, id)
	}
	return &system.Error{Text: "there is no such action"}
}

// expire has the next pages read what has changed.
func (c *Console) expire() {
	c.fleet.expire()
	c.recent.expire()
	c.secrets.expire()
}
