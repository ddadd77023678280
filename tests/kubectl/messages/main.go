// Command messages prints the table of Kubernetes' protobuf messages that the API server reads and
// writes bodies by (src/apiserver/kubernetes_messages.inc): for every kind it serves, and all they
// consist of, each field's JSON name, number and type, as the Go types of k8s.io/api say them.
//
// A type is string, int, bool, bytes, Time, MicroTime, Quantity, IntOrString or a message, in front
// of which stand: * a pointer, whose zero is a value; [] a list; map: a map of strings to it;
// lists: a map of strings to lists of strings. What the server does not keep is ignored. Behind it: ! a value whose zero is shown in JSON too.
// A field named - has its members in the JSON of the message that it is part of.
package main

import (
	"fmt"
	"path"
	"reflect"
	"strings"

	authentication "k8s.io/api/authentication/v1"
	authorization "k8s.io/api/authorization/v1"
	coordination "k8s.io/api/coordination/v1"
	core "k8s.io/api/core/v1"
	discovery "k8s.io/api/discovery/v1"
	networking "k8s.io/api/networking/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var roots = []any{
	core.Namespace{}, core.ServiceAccount{}, core.ConfigMap{}, core.Secret{}, core.Event{}, core.Pod{}, core.Node{},
	core.Service{}, core.Endpoints{}, coordination.Lease{}, discovery.EndpointSlice{}, networking.NetworkPolicy{},
	authorization.SelfSubjectAccessReview{}, authorization.SelfSubjectRulesReview{}, authentication.SelfSubjectReview{},
	meta.DeleteOptions{}, meta.Status{}, meta.ListMeta{}, meta.PartialObjectMetadata{},
}

const width = 100

var scalars = map[reflect.Kind]string{
	reflect.String: "string", reflect.Bool: "bool", reflect.Int32: "int", reflect.Int64: "int",
}

var special = map[string]bool{
	"Time": true, "MicroTime": true, "Quantity": true, "IntOrString": true, "FieldsV1": true, "RawExtension": true,
}

// name is how the table calls a message: those of other groups than core and meta with the group's first word, which
// tells apart what two groups call the same.
func name(t reflect.Type) string {
	group := path.Base(path.Dir(t.PkgPath()))
	if special[t.Name()] || group == "core" || group == "meta" {
		return t.Name()
	}
	return group + "." + t.Name()
}

func word(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Pointer:
		return "*" + word(t.Elem())
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return "bytes"
		}
		return "[]" + word(t.Elem())
	case reflect.Map:
		if t.Elem().Kind() == reflect.Slice && t.Elem().Elem().Kind() == reflect.String {
			return "lists:string"
		}
		return "map:" + word(t.Elem())
	case reflect.Struct:
		return name(t)
	}
	if scalar, ok := scalars[t.Kind()]; ok {
		return scalar
	}
	panic(fmt.Sprintf("a field of type %v", t))
}

func part(f reflect.StructField) string {
	number := strings.Split(f.Tag.Get("protobuf"), ",")[1]
	json := strings.Split(f.Tag.Get("json"), ",")
	jsonName, shown := json[0], ""
	if jsonName == "managedFields" {
		return fmt.Sprintf("%s %s ignored", jsonName, number)
	}
	if jsonName == "" {
		jsonName = "-"
	} else if _, isScalar := scalars[f.Type.Kind()]; isScalar && len(json) == 1 {
		shown = "!"
	}
	return fmt.Sprintf("%s %s %s%s", jsonName, number, word(f.Type), shown)
}

func visit(t reflect.Type, seen map[reflect.Type]bool) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || seen[t] || special[t.Name()] {
		return
	}
	seen[t] = true
	line := name(t) + " {"
	for i := range t.NumField() {
		if t.Field(i).Name == "TypeMeta" {
			continue
		}
		next := part(t.Field(i))
		if len(line)+len(next)+3 > width {
			fmt.Println(line)
			line = " "
		}
		line += " " + next
		if i+1 < t.NumField() {
			line += ","
		}
	}
	fmt.Println(line + " }")
	for i := range t.NumField() {
		if t.Field(i).Name != "TypeMeta" && t.Field(i).Name != "ManagedFields" {
			visit(t.Field(i).Type, seen)
		}
	}
}

func main() {
	fmt.Println("R\"(")
	seen := map[reflect.Type]bool{}
	for _, root := range roots {
		visit(reflect.TypeOf(root), seen)
	}
	fmt.Println(")\"")
}
