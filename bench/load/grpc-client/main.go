// The gRPC load of the bench. It sends the requests of a plan as bytes, so that it encodes nothing while it measures,
// and prints one line of JSON.
//
//	grpc-client -address 127.0.0.1:50051 -plan plan.json -seconds 5 [-rate 1000]
//
// Without a rate it is a closed loop of so many calls in flight; with one it starts calls at that rate, and takes the
// time of each from when it was due.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
)

type plannedCall struct {
	Path    string            `json:"path"`
	Headers map[string]string `json:"headers"`
	Body    []byte            `json:"body"`
}

// rawCodec passes messages on as bytes.
type rawCodec struct{}

func (rawCodec) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }
func (rawCodec) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = append([]byte(nil), data...)
	return nil
}
func (rawCodec) Name() string { return "proto" }

type calls struct {
	conn     *grpc.ClientConn
	plan     []plannedCall
	contexts []context.Context
	turn     atomic.Int64
	failures atomic.Int64
	mutex    sync.Mutex
	times    []time.Duration
}

// call sends the next request of the plan, and counts from since.
func (c *calls) call(since time.Time, own *[]time.Duration) {
	index := int(c.turn.Add(1)-1) % len(c.plan)
	ctx, cancel := context.WithTimeout(c.contexts[index], 10*time.Second)
	defer cancel()
	var answer []byte
	if err := c.conn.Invoke(ctx, c.plan[index].Path, &c.plan[index].Body, &answer); err != nil {
		if c.failures.Add(1) == 1 {
			log.Printf("a call failed: %v", err)
		}
		return
	}
	*own = append(*own, time.Since(since))
}

func (c *calls) keep(own []time.Duration) {
	c.mutex.Lock()
	c.times = append(c.times, own...)
	c.mutex.Unlock()
}

func (c *calls) closedLoop(inFlight int, until time.Time) {
	var group sync.WaitGroup
	for range inFlight {
		group.Go(func() {
			var own []time.Duration
			for time.Now().Before(until) {
				c.call(time.Now(), &own)
			}
			c.keep(own)
		})
	}
	group.Wait()
}

func (c *calls) openLoop(rate float64, until time.Time) {
	var group sync.WaitGroup
	start := time.Now()
	for count := 0; ; count++ {
		due := start.Add(time.Duration(float64(count) / rate * float64(time.Second)))
		if due.After(until) {
			break
		}
		time.Sleep(time.Until(due))
		group.Go(func() {
			var own []time.Duration
			c.call(due, &own)
			c.keep(own)
		})
	}
	group.Wait()
}

func (c *calls) percentileMs(part float64) float64 {
	if len(c.times) == 0 {
		return 0
	}
	return float64(c.times[int(part*float64(len(c.times)-1))]) / 1e6
}

func main() {
	address := flag.String("address", "", "host and port of the server")
	planFile := flag.String("plan", "", "file of the requests, as JSON")
	seconds := flag.Float64("seconds", 5, "how long")
	inFlight := flag.Int("in-flight", 32, "calls in flight of the closed loop")
	rate := flag.Float64("rate", 0, "calls a second of the open loop")
	flag.Parse()

	text, err := os.ReadFile(*planFile)
	if err != nil {
		log.Fatal(err)
	}
	c := &calls{}
	if err := json.Unmarshal(text, &c.plan); err != nil {
		log.Fatal(err)
	}
	for _, planned := range c.plan {
		c.contexts = append(c.contexts, metadata.NewOutgoingContext(context.Background(), metadata.New(planned.Headers)))
	}
	c.conn, err = grpc.NewClient(*address,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(rawCodec{})))
	if err != nil {
		log.Fatal(err)
	}
	defer c.conn.Close()

	start := time.Now()
	until := start.Add(time.Duration(*seconds * float64(time.Second)))
	if *rate > 0 {
		c.openLoop(*rate, until)
	} else {
		c.closedLoop(*inFlight, until)
	}
	took := time.Since(start).Seconds()
	sort.Slice(c.times, func(one, other int) bool { return c.times[one] < c.times[other] })
	fmt.Printf("{\"operations\":%d,\"failures\":%d,\"seconds\":%f,\"p50Ms\":%f,\"p99Ms\":%f}\n",
		len(c.times), c.failures.Load(), took, c.percentileMs(0.5), c.percentileMs(0.99))
}
