package main

import (
	"reflect"
	"strings"
)

// field describes one field of a Go type: what a generator needs to think of values for it.
type field struct {
	Name  string  `json:"name"`            // as JSON has it
	Type  string  `json:"type"`            // "object", "list", "map", or the Go type: "uint16", "Port"
	Rule  string  `json:"rule,omitempty"`  // the validator's tag: "omitempty,dive,net"
	Items *field  `json:"items,omitempty"` // of a list or map
	Parts []field `json:"parts,omitempty"` // of an object
}

// Types that are read from text or numbers though Go has them as structs.
var scalars = map[string]bool{"Port": true, "Protocol": true, "Duration": true, "Time": true}

func describe(kind string) (*field, error) {
	object, err := newObject(kind)
	if err != nil {
		return nil, err
	}
	described := describeType(reflect.TypeOf(object), "")
	return &described, nil
}

func describeType(of reflect.Type, rule string) field {
	if of.Kind() == reflect.Ptr {
		return describeType(of.Elem(), rule)
	}
	switch {
	case of.Kind() == reflect.Slice && of.Elem().Kind() != reflect.Uint8:
		items := describeType(of.Elem(), "")
		return field{Type: "list", Rule: rule, Items: &items}
	case of.Kind() == reflect.Map:
		items := describeType(of.Elem(), "")
		return field{Type: "map", Rule: rule, Items: &items}
	case of.Kind() == reflect.Struct && !scalars[of.Name()]:
		return field{Type: "object", Rule: rule, Parts: describeFields(of)}
	}
	return field{Type: of.Name(), Rule: rule}
}

func describeFields(of reflect.Type) []field {
	var parts []field
	for i := 0; i < of.NumField(); i++ {
		member := of.Field(i)
		name, options, _ := strings.Cut(member.Tag.Get("json"), ",")
		if name == "-" || member.PkgPath != "" {
			continue
		}
		if name == "" && strings.Contains(options, "inline") {
			parts = append(parts, describeFields(member.Type)...)
			continue
		}
		described := describeType(member.Type, member.Tag.Get("validate"))
		described.Name = name
		parts = append(parts, described)
	}
	return parts
}
