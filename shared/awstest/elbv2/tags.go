package elbv2

import (
	"slices"
	"strings"
)

func (s *Service) addTags(r *request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	arns, tags := r.p.List("ResourceArns"), r.tags()
	if err := r.p.Done(); err != nil {
		return nil, err
	}
	if err := s.taggable(r.region, arns); err != nil {
		return nil, err
	}
	for _, arn := range arns {
		have := slices.Clone(s.tags[arn])
		for _, t := range tags {
			have = slices.DeleteFunc(have, func(x Tag) bool { return x.Key == t.Key })
			have = append(have, t)
		}
		s.tags[arn] = have
	}
	return nil, nil
}

func (s *Service) removeTags(r *request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	arns, keys := r.p.List("ResourceArns"), r.p.List("TagKeys")
	if err := r.p.Done(); err != nil {
		return nil, err
	}
	if err := s.taggable(r.region, arns); err != nil {
		return nil, err
	}
	for _, arn := range arns {
		s.tags[arn] = slices.DeleteFunc(slices.Clone(s.tags[arn]),
			func(x Tag) bool { return slices.Contains(keys, x.Key) })
	}
	return nil, nil
}

func (s *Service) describeTags(r *request) (any, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	arns := r.p.List("ResourceArns")
	if err := r.p.Done(); err != nil {
		return nil, err
	}
	if err := s.taggable(r.region, arns); err != nil {
		return nil, err
	}
	var out tagsResult
	for _, arn := range arns {
		out.Descriptions = append(out.Descriptions, tagDescriptionXML{ARN: arn, Tags: s.tags[arn]})
	}
	return out, nil
}

// maxTagged is the most resources one call can name (API reference, DescribeTags: "up to 20 resources in a single
// call").
const maxTagged = 20

// taggable checks that every ARN names something that exists. s.mu is held.
func (s *Service) taggable(region string, arns []string) error {
	if len(arns) == 0 || len(arns) > maxTagged {
		return validation("between 1 and %d resources can be named in one call", maxTagged)
	}
	for _, arn := range arns {
		var err error
		switch {
		case strings.Contains(arn, ":loadbalancer/"):
			_, err = s.liveBalancer(region, arn)
		case strings.Contains(arn, ":listener-rule/"):
			_, _, _, err = s.rule(region, arn)
		case strings.Contains(arn, ":listener/"):
			_, _, err = s.listener(region, arn)
		default:
			err = validation("'%s' is not a valid load balancer, listener or rule ARN", arn)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
