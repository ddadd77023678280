// Measures the address management of Calico v3.19 (libcalico-go) on an etcd server, in the scenario
// that the flags describe, and prints one JSON object: how many ADDs a second, and how long one took.
//
// The etcd server must be empty: each scenario gets its own.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"github.com/projectcalico/libcalico-go/lib/apiconfig"
	v3 "github.com/projectcalico/libcalico-go/lib/apis/v3"
	"github.com/projectcalico/libcalico-go/lib/backend"
	bapi "github.com/projectcalico/libcalico-go/lib/backend/api"
	"github.com/projectcalico/libcalico-go/lib/backend/model"
	"github.com/projectcalico/libcalico-go/lib/clientv3"
	"github.com/projectcalico/libcalico-go/lib/ipam"
	cnet "github.com/projectcalico/libcalico-go/lib/net"
	"github.com/projectcalico/libcalico-go/lib/options"
	"github.com/sirupsen/logrus"
)

var (
	endpoints = flag.String("etcd", "http://127.0.0.1:2379", "client URL of the etcd server")
	nodes     = flag.Int("nodes", 1, "nodes that add pods at a time")
	threads   = flag.Int("threads", 1, "threads on each node")
	adds      = flag.Int("adds", 100, "pods that each thread adds, one after another")
	present   = flag.Int("blocks", 0, "blocks of other nodes that are there before")
)

const (
	poolCIDR        = "10.0.0.0/12"
	addressesPerNet = 64 // of a /26
	preloadThreads  = 64
)

type result struct {
	AddsPerSecond float64 `json:"adds_per_second"`
	P50Ms         float64 `json:"p50_ms"`
	P99Ms         float64 `json:"p99_ms"`
	Failed        int64   `json:"failed"`
}

func main() {
	flag.Parse()
	logrus.SetLevel(logrus.FatalLevel)
	outcome, err := run(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	_ = json.NewEncoder(os.Stdout).Encode(outcome)
}

func config() apiconfig.CalicoAPIConfig {
	cfg := *apiconfig.NewCalicoAPIConfig()
	cfg.Spec.DatastoreType = apiconfig.EtcdV3
	cfg.Spec.EtcdEndpoints = *endpoints
	return cfg
}

func run(ctx context.Context) (*result, error) {
	client, err := clientv3.New(config())
	if err != nil {
		return nil, err
	}
	pool := v3.NewIPPool()
	pool.Name = "pool"
	pool.Spec.CIDR = poolCIDR
	pool.Spec.BlockSize = 26
	pool.Spec.NodeSelector = "all()"
	if _, err = client.IPPools().Create(ctx, pool, options.SetOptions{}); err != nil {
		return nil, fmt.Errorf("creating the pool: %w", err)
	}
	for n := 0; n < *nodes; n++ {
		node := v3.NewNode()
		node.Name = nodeName(n)
		if _, err = client.Nodes().Create(ctx, node, options.SetOptions{}); err != nil {
			return nil, fmt.Errorf("creating node %s: %w", node.Name, err)
		}
	}
	if err = preload(ctx); err != nil {
		return nil, err
	}
	return race(ctx)
}

func nodeName(n int) string { return fmt.Sprintf("node-%d", n) }

// preload writes the blocks of other nodes: a block each, half of it in use.
func preload(ctx context.Context) error {
	db, err := backend.NewClient(config())
	if err != nil {
		return err
	}
	var next int64 = -1
	var wait sync.WaitGroup
	failures := make(chan error, preloadThreads)
	for t := 0; t < preloadThreads; t++ {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for {
				n := int(atomic.AddInt64(&next, 1))
				if n >= *present {
					return
				}
				if err := createBlock(ctx, db, n); err != nil {
					failures <- err
					return
				}
			}
		}()
	}
	wait.Wait()
	select {
	case err := <-failures:
		return fmt.Errorf("writing the blocks that are to be there: %w", err)
	default:
		return nil
	}
}

func createBlock(ctx context.Context, db bapi.Client, n int) error {
	host := fmt.Sprintf("other-%d", n)
	_, base, _ := net.ParseCIDR(poolCIDR)
	// Spread over the pool, as blocks of many nodes are.
	offset := uint32(n) * 3 * addressesPerNet
	ip := make(net.IP, 4)
	start := uint32(base.IP[0])<<24 | uint32(base.IP[1])<<16 | uint32(base.IP[2])<<8 | uint32(base.IP[3])
	for i, shift := range []uint{24, 16, 8, 0} {
		ip[i] = byte((start + offset) >> shift)
	}
	cidr := cnet.IPNet{IPNet: net.IPNet{IP: ip, Mask: net.CIDRMask(26, 32)}}
	affinity := "host:" + host
	block := model.AllocationBlock{CIDR: cidr, Affinity: &affinity, Attributes: []model.AllocationAttribute{}}
	for i := 0; i < addressesPerNet; i++ {
		if i%2 == 1 {
			block.Allocations = append(block.Allocations, nil)
			block.Unallocated = append(block.Unallocated, i)
			continue
		}
		attribute := len(block.Attributes)
		handle := fmt.Sprintf("k8s-pod-network.%s-%d", host, i)
		block.Attributes = append(block.Attributes, model.AllocationAttribute{
			AttrPrimary: &handle, AttrSecondary: attributes(host, handle)})
		block.Allocations = append(block.Allocations, &attribute)
	}
	if _, err := db.Create(ctx, &model.KVPair{
		Key:   model.BlockAffinityKey{CIDR: cidr, Host: host},
		Value: &model.BlockAffinity{State: model.StateConfirmed}}); err != nil {
		return err
	}
	_, err := db.Create(ctx, &model.KVPair{Key: model.BlockKey{CIDR: cidr}, Value: &block})
	return err
}

func attributes(node, pod string) map[string]string {
	return map[string]string{"node": node, "namespace": "default", "pod": pod}
}

// race lets every thread of every node add its pods, from one moment on.
func race(ctx context.Context) (*result, error) {
	var (
		wait   sync.WaitGroup
		mutex  sync.Mutex
		took   []time.Duration
		failed int64
		start  = make(chan struct{})
	)
	for n := 0; n < *nodes; n++ {
		// Each node is a program of its own: it has its own connection.
		client, err := clientv3.New(config())
		if err != nil {
			return nil, err
		}
		for t := 0; t < *threads; t++ {
			wait.Add(1)
			go func(node string, thread int) {
				defer wait.Done()
				<-start
				for i := 0; i < *adds; i++ {
					pod := fmt.Sprintf("%s-%d-%d", node, thread, i)
					began := time.Now()
					if err := add(ctx, client.IPAM(), node, pod); err != nil {
						if atomic.AddInt64(&failed, 1) == 1 {
							fmt.Fprintln(os.Stderr, "the first ADD that failed:", err)
						}
						continue
					}
					mutex.Lock()
					took = append(took, time.Since(began))
					mutex.Unlock()
				}
			}(nodeName(n), t)
		}
	}
	began := time.Now()
	close(start)
	wait.Wait()
	all := time.Since(began)
	if len(took) == 0 {
		return nil, fmt.Errorf("no ADD succeeded")
	}
	sort.Slice(took, func(a, b int) bool { return took[a] < took[b] })
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	return &result{
		AddsPerSecond: float64(len(took)) / all.Seconds(),
		P50Ms:         ms(took[len(took)/2]),
		P99Ms:         ms(took[len(took)*99/100]),
		Failed:        failed,
	}, nil
}

func add(ctx context.Context, manager ipam.Interface, node, pod string) error {
	handle := "k8s-pod-network." + pod
	v4, _, err := manager.AutoAssign(ctx, ipam.AutoAssignArgs{
		Num4: 1, HandleID: &handle, Attrs: attributes(node, pod), Hostname: node})
	if err == nil && len(v4) != 1 {
		err = fmt.Errorf("%d addresses instead of one", len(v4))
	}
	return err
}
