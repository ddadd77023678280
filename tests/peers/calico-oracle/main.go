// calico-oracle answers what Calico v3.19 says to objects and selectors: its own validator and
// selector parser, asked one JSON line at a time on standard input.
//
//	{"kind": "NetworkPolicy", "object": {...}}  -> {"valid": true} or {"valid": false, "error": "..."}
//	{"selector": "has(a)"}                      -> {"valid": true, "text": "has(a)", "id": "s:..."}
//	{"describe": "NetworkPolicy"}               -> the kind's fields, as describe.go says
//
// An object is decoded as calicoctl does it (an unknown field is an error), then goes through what
// Calico's client does before it stores one (client.go), then through the validator. A validator
// that panics has refused.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/projectcalico/libcalico-go/lib/selector"
	validator "github.com/projectcalico/libcalico-go/lib/validator/v3"
	"github.com/sirupsen/logrus"
)

type question struct {
	Kind     string          `json:"kind"`
	Object   json.RawMessage `json:"object"`
	Selector *string         `json:"selector"`
	Describe string          `json:"describe"`
}

type verdict struct {
	Valid bool   `json:"valid"`
	Error string `json:"error,omitempty"`
	Text  string `json:"text,omitempty"`
	ID    string `json:"id,omitempty"`
}

func refused(err error) verdict { return verdict{Error: err.Error()} }

func judgeSelector(text string) verdict {
	parsed, err := selector.Parse(text)
	if err != nil {
		return refused(err)
	}
	return verdict{Valid: true, Text: parsed.String(), ID: parsed.UniqueID()}
}

func judgeObject(kind string, text json.RawMessage) (answer verdict) {
	defer func() {
		if reason := recover(); reason != nil {
			answer = refused(fmt.Errorf("the validator panicked: %v", reason))
		}
	}()
	object, err := newObject(kind)
	if err != nil {
		return refused(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(object); err != nil {
		return refused(err)
	}
	if err := prepareAsClient(object); err != nil {
		return refused(err)
	}
	if err := validator.Validate(object); err != nil {
		return refused(err)
	}
	return verdict{Valid: true}
}

func answer(line []byte) (interface{}, error) {
	var asked question
	if err := json.Unmarshal(line, &asked); err != nil {
		return nil, err
	}
	switch {
	case asked.Selector != nil:
		return judgeSelector(*asked.Selector), nil
	case asked.Describe != "":
		return describe(asked.Describe)
	default:
		return judgeObject(asked.Kind, asked.Object), nil
	}
}

func run(in io.Reader, out io.Writer) error {
	lines := bufio.NewReaderSize(in, 1<<16)
	answers := bufio.NewWriter(out)
	for {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF {
			return answers.Flush()
		}
		if err != nil {
			return err
		}
		said, err := answer(line)
		if err != nil {
			return fmt.Errorf("%q: %w", line, err)
		}
		text, err := json.Marshal(said)
		if err != nil {
			return err
		}
		answers.Write(append(text, '\n'))
		if lines.Buffered() == 0 {
			if err := answers.Flush(); err != nil {
				return err
			}
		}
	}
}

func main() {
	logrus.SetOutput(io.Discard)
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "calico-oracle:", err)
		os.Exit(1)
	}
}
