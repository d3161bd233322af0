package console

import (
	"fmt"
	"slices"

	"alboidc.internal/statemachine"
)

// drawing is the graph of a state machine, with what has become of each state.
type drawing struct {
	Width, Height int
	Nodes         []node
	Edges         []edge
	Labels        []label
	Unknown       []string
}

// node is a state that is drawn.
type node struct {
	visited
	Name, Sentence string
	X, Y, W, H     int
	Class          string
	Aside          string // a few words at its right end
}

// TextX, TextY and AsideX are where the texts begin, and end.
func (n node) TextX() int  { return n.X + 10 }
func (n node) TextY() int  { return n.Y + n.H/2 + 5 }
func (n node) AsideX() int { return n.X + n.W - 10 }

// edge is a line from a state to another.
type edge struct{ Path, Class string }

// label is a text beside a lane.
type label struct {
	X, Y int
	Text string
}

// Sizes of the drawing.
const (
	nodeWidth, nodeHeight = 250, 30
	rowHeight             = 44
	leftSpace, laneSpace  = 64, 84
	topSpace              = 30
)

// draw lays the definition out in lanes, and marks where an execution went.
func (m *machine) draw(w walk) drawing {
	lanes := m.lanes()
	at := m.place(lanes)
	d := drawing{Unknown: w.unknown}
	for _, lane := range lanes {
		for _, name := range lane {
			n := at[name]
			n.visited = w.visits[name]
			if n.Mark == "" {
				n.Mark = todo
			}
			n.Name, n.Sentence = name, statemachine.Sentence(name)
			n.Class, n.Aside = class(n.visited), aside(n.visited)
			d.Nodes = append(d.Nodes, n)
			d.Width, d.Height = max(d.Width, n.X+n.W+8), max(d.Height, n.Y+n.H+8)
		}
	}
	taken := map[[2]string]bool{}
	for i := 1; i < len(w.way); i++ {
		taken[[2]string{w.way[i-1], w.way[i]}] = true
	}
	d.Edges = m.edges(lanes, at, taken)
	d.Labels = []label{{leftSpace, topSpace - 12, "Rotation"}}
	for i, lane := range lanes[min(1, len(lanes)):] {
		text := ""
		switch end := m.state[lane[0]].next() == nil; {
		case i == 0 && len(lane) > 1:
			text = "Rollback, if a state fails"
		case len(lane) > 1:
			text = "Another way"
		case end:
			text = "Other ends"
		}
		if text != "" && !slices.ContainsFunc(d.Labels, func(l label) bool { return l.Text == "Other ends" }) {
			d.Labels = append(d.Labels, label{at[lane[0]].X, at[lane[0]].Y - 12, text})
		}
	}
	return d
}

// place puts the first lane to the left, and beside it, from top to bottom, single states that go on, the other lanes,
// each below an empty row for its label, and single states that are ends.
func (m *machine) place(lanes [][]string) map[string]node {
	at := map[string]node{}
	put := func(name string, column, row int) {
		at[name] = node{X: leftSpace + column*(nodeWidth+laneSpace), Y: topSpace + row*rowHeight, W: nodeWidth,
			H: nodeHeight}
	}
	for row, name := range lanes[0] {
		put(name, 0, row)
	}
	row := 0
	var long, ends [][]string
	for _, lane := range lanes[1:] {
		switch {
		case len(lane) > 1:
			long = append(long, lane)
		case m.state[lane[0]].next() == nil:
			ends = append(ends, lane)
		default:
			put(lane[0], 1, row)
			row++
		}
	}
	for _, lane := range long {
		row++
		for _, name := range lane {
			put(name, 1, row)
			row++
		}
	}
	row = max(row+1, len(lanes[0])-len(ends))
	for _, lane := range ends {
		put(lane[0], 1, row)
		row++
	}
	return at
}

// edges are the lines within each lane, those that leave out states of it, those of failures into the next lane, and
// those that the execution took besides.
func (m *machine) edges(lanes [][]string, at map[string]node, taken map[[2]string]bool) []edge {
	var out []edge
	drawn := map[[2]string]bool{}
	add := func(from, to, path, class string) {
		pair := [2]string{from, to}
		if drawn[pair] {
			return
		}
		drawn[pair] = true
		if taken[pair] {
			class += " taken"
		}
		out = append(out, edge{path, class})
	}
	for i, lane := range lanes {
		for j, name := range lane {
			after := m.reach(m.state[name].next())
			for k, other := range lane {
				switch {
				case !slices.Contains(after, other):
				case k == j+1:
					add(name, other, straight(at[name], at[other]), "edge")
				default:
					add(name, other, around(at[name], at[other], k-j), "edge leap")
				}
			}
			if len(lanes) > 1 && i == 0 && len(lanes[1]) > 1 && slices.Contains(m.reach(m.state[name].catches()),
				lanes[1][0]) {
				add(name, lanes[1][0], across(at[name], at[lanes[1][0]]), "edge failure")
			}
		}
	}
	for _, name := range m.order {
		for _, other := range m.order {
			if taken[[2]string{name, other}] {
				add(name, other, across(at[name], at[other]), "edge jump")
			}
		}
	}
	return out
}

// straight goes down to the next state.
func straight(a, b node) string {
	return fmt.Sprintf("M%d %dV%d", a.X+a.W/2, a.Y+a.H, b.Y)
}

// around leaves out, or goes back over, rows of a lane, on its left side: the further, the more to the left.
func around(a, b node, rows int) string {
	if rows < 0 {
		rows = -rows
	}
	out := a.X - min(leftSpace-8, 12+5*rows)
	return fmt.Sprintf("M%d %dH%dV%dH%d", a.X, a.Y+a.H*2/3, out, b.Y+b.H/3, b.X)
}

// across goes from the side of a state to that of a state of another lane.
func across(a, b node) string {
	from, to := a.X+a.W, b.X
	if a.X > b.X {
		from, to = a.X, b.X+b.W
	} else if a.X == b.X {
		return around(a, b, (b.Y-a.Y)/rowHeight)
	}
	middle := (from + to) / 2
	return fmt.Sprintf("M%d %dH%dV%dH%d", from, a.Y+a.H/2, middle, b.Y+b.H/2, to)
}

// class is how a state looks.
func class(v visited) string {
	switch {
	case v.Mark == todo:
		return "todo"
	case v.Mark == done && v.Tries > 0:
		return "done retried"
	case v.Mark == current && v.Tries > 0:
		return "running retried"
	}
	return string(v.Mark)
}

// aside says in a few characters what a state's colour means.
func aside(v visited) string {
	sign := map[mark]string{current: "●", done: "✓", failed: "✕", stopped: "■"}[v.Mark]
	if v.Tries > 0 {
		sign = fmt.Sprintf("↻%d %s", v.Tries, sign)
	}
	if sign == "" {
		return ""
	}
	return brief(v.Took) + " " + sign
}
