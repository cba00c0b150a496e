// A service in Go, with nothing but its standard library: publishes an alert for every message whose
// payload is a number above the limit. Messages are handled side by side, as many as the trigger's
// `concurrency` allows.
//
//	go build alerts.go
//
//	[triggers.settings]
//	command = ["./alerts"]
//	processes = 1
//	[triggers.settings.service]
//	limit = 80
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"
)

// Incoming has the members that this service needs; docs/reference/exec-protocol.md has them all.
type Incoming struct {
	Type     string  `json:"type"`
	Token    string  `json:"token"`
	Topic    string  `json:"topic"`
	Payload  *string `json:"payload"` // nil: it is in payload_base64
	Settings struct {
		Limit float64 `json:"limit"`
	} `json:"settings"`
}

type publication struct {
	Topic   string `json:"topic"`
	Payload string `json:"payload"`
}

type verdict struct {
	Type    string        `json:"type"`
	Token   string        `json:"token"`
	Verdict string        `json:"verdict"`
	Reason  string        `json:"reason,omitempty"`
	Publish []publication `json:"publish,omitempty"`
}

func handle(message Incoming, limit float64) verdict {
	answer := verdict{Type: "verdict", Token: message.Token, Verdict: "ok"}
	if message.Payload == nil {
		answer.Verdict, answer.Reason = "reject", "the payload must be text"
		return answer
	}
	value, err := strconv.ParseFloat(*message.Payload, 64)
	if err != nil {
		answer.Verdict, answer.Reason = "reject", "the payload must be a number"
	} else if value > limit {
		answer.Publish = []publication{{"alerts/" + message.Topic, *message.Payload}}
	}
	return answer
}

func main() {
	// A Scanner would need to know how long a line may be.
	input := json.NewDecoder(bufio.NewReader(os.Stdin))
	output := json.NewEncoder(os.Stdout)
	var writing sync.Mutex
	var handling sync.WaitGroup
	defer handling.Wait()

	var limit float64
	for {
		var line Incoming
		if err := input.Decode(&line); err == io.EOF {
			return
		} else if err != nil {
			fmt.Fprintln(os.Stderr, err) // standard error is the log
			handling.Wait()
			os.Exit(1)
		}
		switch line.Type {
		case "start":
			limit = line.Settings.Limit
			fmt.Println(`{"type":"ready","name":"alerts"}`)
		case "message":
			handling.Add(1)
			go func() {
				defer handling.Done()
				answer := handle(line, limit)
				writing.Lock()
				defer writing.Unlock()
				output.Encode(answer)
			}()
		}
	}
}
