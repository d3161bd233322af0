package main

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

func TestOnlyItsOwnStacksAreRemoved(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		stack string
		tags  []types.Tag
		want  bool
	}{
		"its own":              {"verify-live-20261129-060000", []types.Tag{tag}, true},
		"a name alike":         {"verify-live-orders", nil, false},
		"a name, another tag":  {"verify-live-orders", []types.Tag{{Key: tag.Key, Value: aws.String("x")}}, false},
		"a tag, another name":  {"orders", []types.Tag{tag}, false},
		"the tag among others": {"verify-live-1", []types.Tag{{Key: aws.String("a"), Value: aws.String("b")}, tag}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := ours(types.Stack{StackName: &c.stack, Tags: c.tags}); got != c.want {
				t.Errorf("%s with %d tags: %v", c.stack, len(c.tags), got)
			}
		})
	}
}
