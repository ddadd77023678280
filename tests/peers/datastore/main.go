// calico-client does one thing to one kind of object as Calico v3.19's own programs do it, with
// libcalico-go and a Kubernetes API server as its datastore, and prints what it then has as JSON:
//
//	calico-client --kubeconfig FILE create KIND < object    the object
//	calico-client --kubeconfig FILE update KIND < object    the object
//	calico-client --kubeconfig FILE get KIND [NS/]NAME      the object
//	calico-client --kubeconfig FILE delete KIND [NS/]NAME   the object that was there
//	calico-client --kubeconfig FILE list KIND [NS/]         the list
//	calico-client --kubeconfig FILE watch KIND COUNT        a line for each of so many events; before them
//	                                                        "watching"
//	calico-client --kubeconfig FILE initialize              makes what a cluster always has
//
// An error ends it with 1, and its Go type and text on standard error.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/projectcalico/libcalico-go/lib/apiconfig"
	v3 "github.com/projectcalico/libcalico-go/lib/apis/v3"
	"github.com/projectcalico/libcalico-go/lib/clientv3"
	"github.com/projectcalico/libcalico-go/lib/options"
	"github.com/projectcalico/libcalico-go/lib/watch"
	"github.com/sirupsen/logrus"
)

const deadline = 60 * time.Second

type kind struct {
	verbs      func(clientv3.Interface) interface{}
	object     func() interface{}
	namespaced bool
}

var kinds = map[string]kind{
	"NetworkPolicy": {func(c clientv3.Interface) interface{} { return c.NetworkPolicies() },
		func() interface{} { return v3.NewNetworkPolicy() }, true},
	"GlobalNetworkPolicy": {func(c clientv3.Interface) interface{} { return c.GlobalNetworkPolicies() },
		func() interface{} { return v3.NewGlobalNetworkPolicy() }, false},
	"NetworkSet": {func(c clientv3.Interface) interface{} { return c.NetworkSets() },
		func() interface{} { return v3.NewNetworkSet() }, true},
	"GlobalNetworkSet": {func(c clientv3.Interface) interface{} { return c.GlobalNetworkSets() },
		func() interface{} { return v3.NewGlobalNetworkSet() }, false},
	"HostEndpoint": {func(c clientv3.Interface) interface{} { return c.HostEndpoints() },
		func() interface{} { return v3.NewHostEndpoint() }, false},
	"IPPool": {func(c clientv3.Interface) interface{} { return c.IPPools() },
		func() interface{} { return v3.NewIPPool() }, false},
	"FelixConfiguration": {func(c clientv3.Interface) interface{} { return c.FelixConfigurations() },
		func() interface{} { return v3.NewFelixConfiguration() }, false},
	"ClusterInformation": {func(c clientv3.Interface) interface{} { return c.ClusterInformation() },
		func() interface{} { return v3.NewClusterInformation() }, false},
	"BGPConfiguration": {func(c clientv3.Interface) interface{} { return c.BGPConfigurations() },
		func() interface{} { return v3.NewBGPConfiguration() }, false},
	"BGPPeer": {func(c clientv3.Interface) interface{} { return c.BGPPeers() },
		func() interface{} { return v3.NewBGPPeer() }, false},
	"KubeControllersConfiguration": {func(c clientv3.Interface) interface{} { return c.KubeControllersConfiguration() },
		func() interface{} { return v3.NewKubeControllersConfiguration() }, false},
}

// call calls a method that returns something and an error.
func call(of interface{}, method string, arguments ...interface{}) (interface{}, error) {
	values := make([]reflect.Value, len(arguments))
	for i, argument := range arguments {
		values[i] = reflect.ValueOf(argument)
	}
	results := reflect.ValueOf(of).MethodByName(method).Call(values)
	if failed := results[1].Interface(); failed != nil {
		return nil, failed.(error)
	}
	return results[0].Interface(), nil
}

func write(of kind, client clientv3.Interface, method string) (interface{}, error) {
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		return nil, err
	}
	object := of.object()
	if err := json.Unmarshal(text, object); err != nil {
		return nil, err
	}
	return call(of.verbs(client), method, context.Background(), object, options.SetOptions{})
}

func find(of kind, client clientv3.Interface, method, place string, choice interface{}) (interface{}, error) {
	arguments := []interface{}{context.Background()}
	if of.namespaced {
		namespace, name, _ := strings.Cut(place, "/")
		arguments = append(arguments, namespace)
		place = name
	}
	return call(of.verbs(client), method, append(arguments, place, choice)...)
}

func follow(of kind, client clientv3.Interface, count int) error {
	opened, err := call(of.verbs(client), "Watch", context.Background(), options.ListOptions{})
	if err != nil {
		return err
	}
	fmt.Println("watching")
	results := opened.(watch.Interface).ResultChan()
	end := time.After(deadline)
	for ; count > 0; count-- {
		select {
		case event := <-results:
			if event.Error != nil {
				return event.Error
			}
			object := event.Object
			if object == nil {
				object = event.Previous
			}
			text, err := json.Marshal(object)
			if err != nil {
				return err
			}
			fmt.Println(event.Type, string(text))
		case <-end:
			return fmt.Errorf("%d events did not come in %s", count, deadline)
		}
	}
	return nil
}

func act(client clientv3.Interface, verb, name, place string) (interface{}, error) {
	if verb == "initialize" {
		return nil, client.EnsureInitialized(context.Background(), "v3.19.0", "k8s")
	}
	of, known := kinds[name]
	if !known {
		return nil, fmt.Errorf("no kind %q", name)
	}
	switch verb {
	case "create":
		return write(of, client, "Create")
	case "update":
		return write(of, client, "Update")
	case "get":
		return find(of, client, "Get", place, options.GetOptions{})
	case "delete":
		return find(of, client, "Delete", place, options.DeleteOptions{})
	case "list":
		return call(of.verbs(client), "List", context.Background(),
			options.ListOptions{Namespace: strings.TrimSuffix(place, "/")})
	case "watch":
		count, err := strconv.Atoi(place)
		if err != nil {
			return nil, err
		}
		return nil, follow(of, client, count)
	}
	return nil, fmt.Errorf("no verb %q", verb)
}

func run(kubeconfig string, arguments []string) error {
	config := *apiconfig.NewCalicoAPIConfig()
	config.Spec.DatastoreType = apiconfig.Kubernetes
	config.Spec.Kubeconfig = kubeconfig
	client, err := clientv3.New(config)
	if err != nil {
		return err
	}
	arguments = append(arguments, "", "", "")
	found, err := act(client, arguments[0], arguments[1], arguments[2])
	if err != nil || found == nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(found)
}

func main() {
	kubeconfig := flag.String("kubeconfig", "", "how the API server is reached")
	flag.Parse()
	logrus.SetOutput(io.Discard)
	if err := run(*kubeconfig, flag.Args()); err != nil {
		fmt.Fprintf(os.Stderr, "%T: %v\n", err, err)
		os.Exit(1)
	}
}
