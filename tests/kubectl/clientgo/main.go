// Command clientgo drives the API server as typed Go clients do, which speak protobuf unless told
// otherwise: every kind of Kubernetes' own goes through every verb, and each answer is compared with
// what the same client gets in JSON. It prints what is wrong, and fails; or "ok".
package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"reflect"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/client-go/tools/record"

	core "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/scheme"
)

const (
	protobuf  = "application/vnd.kubernetes.protobuf"
	namespace = "default"
	deadline  = time.Minute
)

// forms counts the media types that went over the wire.
type forms struct {
	sync.Mutex
	sent, received map[string]int
	next           http.RoundTripper
}

func (f *forms) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := f.next.RoundTrip(request)
	f.Lock()
	defer f.Unlock()
	if request.Method == "POST" || request.Method == "PUT" {
		f.sent[request.Header.Get("Content-Type")]++
	}
	if err == nil && response.StatusCode < 300 && request.Method != "DELETE" {
		f.received[strings.Split(response.Header.Get("Content-Type"), ";")[0]]++
	}
	return response, err
}

type object interface {
	runtime.Object
	meta.Object
}

// verbs is what the generated client of a kind has.
type verbs[T object, L runtime.Object] interface {
	Create(context.Context, T, meta.CreateOptions) (T, error)
	Update(context.Context, T, meta.UpdateOptions) (T, error)
	Delete(context.Context, string, meta.DeleteOptions) error
	Get(context.Context, string, meta.GetOptions) (T, error)
	List(context.Context, meta.ListOptions) (L, error)
	Watch(context.Context, meta.ListOptions) (watch.Interface, error)
	Patch(context.Context, string, types.PatchType, []byte, meta.PatchOptions, ...string) (T, error)
}

type withStatus[T object] interface {
	UpdateStatus(context.Context, T, meta.UpdateOptions) (T, error)
}

// same compares two answers. Only in JSON do the items of a list say their kind.
func same(what string, a, b runtime.Object) error {
	for _, list := range []runtime.Object{a, b} {
		if apimeta.IsListType(list) {
			if err := apimeta.EachListItem(list, func(item runtime.Object) error {
				item.GetObjectKind().SetGroupVersionKind(schema.GroupVersionKind{})
				return nil
			}); err != nil {
				return err
			}
		}
	}
	if equality.Semantic.DeepEqual(a, b) {
		return nil
	}
	return fmt.Errorf("%s differs:\n  protobuf: %+v\n  JSON:     %+v", what, a, b)
}

// anonymous clears what no two objects have in common.
func anonymous(o object) object {
	o = o.DeepCopyObject().(object)
	o.SetUID("")
	o.SetResourceVersion("")
	o.SetCreationTimestamp(meta.Time{})
	return o
}

func nextEvent(watcher watch.Interface, name string) (watch.Event, error) {
	timer := time.After(deadline)
	for {
		select {
		case event, open := <-watcher.ResultChan():
			if !open {
				return event, errors.New("the watch ended")
			}
			if o, ok := event.Object.(object); ok && o.GetName() == name {
				return event, nil
			}
		case <-timer:
			return watch.Event{}, errors.New("no event of " + name)
		}
	}
}

// roundTrip takes one object through every verb. fast and plain are the same client, speaking protobuf and JSON.
func roundTrip[T object, L runtime.Object](fast, plain verbs[T, L], sample T) error {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	name := sample.GetName()
	dry := meta.CreateOptions{DryRun: []string{meta.DryRunAll}, FieldValidation: "Strict"}
	a, err := fast.Create(ctx, sample, dry)
	if err != nil {
		return fmt.Errorf("create, dry: %w", err)
	}
	b, err := plain.Create(ctx, sample, dry)
	if err != nil {
		return fmt.Errorf("create in JSON, dry: %w", err)
	}
	if err := same("what is created", anonymous(a), anonymous(b)); err != nil {
		return err
	}

	list, err := fast.List(ctx, meta.ListOptions{})
	if err != nil {
		return fmt.Errorf("list: %w", err)
	}
	from := any(list).(meta.ListInterface).GetResourceVersion()
	watcher, err := fast.Watch(ctx, meta.ListOptions{ResourceVersion: from, AllowWatchBookmarks: true})
	if err != nil {
		return fmt.Errorf("watch: %w", err)
	}
	defer watcher.Stop()

	created, err := fast.Create(ctx, sample, meta.CreateOptions{})
	if err != nil {
		return fmt.Errorf("create: %w", err)
	}
	if err := compareReads(ctx, fast, plain, name); err != nil {
		return err
	}
	event, err := nextEvent(watcher, name)
	if err != nil {
		return err
	}
	if err := same("the event "+string(event.Type), event.Object, created); err != nil {
		return err
	}

	created.SetLabels(map[string]string{"updated": "yes"})
	updated, err := fast.Update(ctx, created, meta.UpdateOptions{})
	if err != nil || updated.GetLabels()["updated"] != "yes" {
		return fmt.Errorf("update: %v %w", updated.GetLabels(), err)
	}
	for _, kind := range []types.PatchType{types.MergePatchType, types.StrategicMergePatchType} {
		patched, err := fast.Patch(ctx, name, kind, []byte(`{"metadata":{"annotations":{"patched":"`+string(kind)+`"}}}`),
			meta.PatchOptions{})
		if err != nil || patched.GetAnnotations()["patched"] != string(kind) {
			return fmt.Errorf("patch: %v %w", patched.GetAnnotations(), err)
		}
	}
	// The clients of all kinds have the method, whatever the kind has.
	if status, ok := any(fast).(withStatus[T]); ok && reflect.ValueOf(sample).Elem().FieldByName("Status").IsValid() {
		current, err := fast.Get(ctx, name, meta.GetOptions{})
		if err != nil {
			return fmt.Errorf("get: %w", err)
		}
		if _, err := status.UpdateStatus(ctx, current, meta.UpdateOptions{}); err != nil {
			return fmt.Errorf("update of the status: %w", err)
		}
	}
	if err := compareReads(ctx, fast, plain, name); err != nil {
		return err
	}
	return remove(ctx, fast, updated)
}

func compareReads[T object, L runtime.Object](ctx context.Context, fast, plain verbs[T, L], name string) error {
	a, err := fast.Get(ctx, name, meta.GetOptions{})
	if err != nil {
		return fmt.Errorf("get: %w", err)
	}
	b, err := plain.Get(ctx, name, meta.GetOptions{})
	if err != nil {
		return fmt.Errorf("get in JSON: %w", err)
	}
	if err := same("what is read", a, b); err != nil {
		return err
	}
	all, err := fast.List(ctx, meta.ListOptions{})
	if err != nil {
		return fmt.Errorf("list: %w", err)
	}
	again, err := plain.List(ctx, meta.ListOptions{})
	if err != nil {
		return fmt.Errorf("list in JSON: %w", err)
	}
	return same("the list", all, again)
}

func remove[T object, L runtime.Object](ctx context.Context, fast verbs[T, L], last T) error {
	uid, wrong, now := last.GetUID(), types.UID("wrong"), int64(0)
	options := meta.DeleteOptions{Preconditions: &meta.Preconditions{UID: &wrong}, GracePeriodSeconds: &now}
	if err := fast.Delete(ctx, last.GetName(), options); err == nil {
		return errors.New("delete: the precondition was not looked at")
	}
	options.Preconditions.UID = &uid
	if err := fast.Delete(ctx, last.GetName(), options); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	return nil
}

// lead is what controllers begin with.
func lead(client kubernetes.Interface) error {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	broadcaster := record.NewBroadcaster()
	defer broadcaster.Shutdown()
	recorder := broadcaster.NewRecorder(scheme.Scheme, core.EventSource{Component: "clientgo"})
	lock, err := resourcelock.New(resourcelock.LeasesResourceLock, namespace, "leader", client.CoreV1(), client.CoordinationV1(),
		resourcelock.ResourceLockConfig{Identity: "me", EventRecorder: recorder})
	if err != nil {
		return err
	}
	leading := false
	leaderelection.RunOrDie(ctx, leaderelection.LeaderElectionConfig{
		Lock: lock, LeaseDuration: 15 * time.Second, RenewDeadline: 10 * time.Second, RetryPeriod: time.Second,
		ReleaseOnCancel: true,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(context.Context) { leading = true; cancel() },
			OnStoppedLeading: func() {},
		},
	})
	if !leading {
		return errors.New("nobody became the leader")
	}
	return nil
}

// inform is how controllers read: initial events and bookmarks in a watch.
func inform(client kubernetes.Interface) error {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	factory := informers.NewSharedInformerFactory(client, 0)
	factory.Core().V1().Namespaces().Informer()
	factory.Core().V1().Pods().Informer()
	factory.Core().V1().Nodes().Informer()
	factory.Core().V1().Services().Informer()
	factory.Discovery().V1().EndpointSlices().Informer()
	factory.Networking().V1().NetworkPolicies().Informer()
	factory.Start(ctx.Done())
	for kind, synced := range factory.WaitForCacheSync(ctx.Done()) {
		if !synced {
			return fmt.Errorf("the informer of %v never got its initial state", kind)
		}
	}
	found, err := factory.Core().V1().Namespaces().Lister().Get(namespace)
	if err != nil || found.Labels["kubernetes.io/metadata.name"] != namespace {
		return fmt.Errorf("the informer has namespace %v, %w", found, err)
	}
	return nil
}

// readMetadata is how garbage collectors and quotas read: the metadata of any kind.
func readMetadata(config *rest.Config) error {
	client, err := metadata.NewForConfig(config)
	if err != nil {
		return err
	}
	resource := core.SchemeGroupVersion.WithResource("namespaces")
	found, err := client.Resource(resource).Get(context.Background(), namespace, meta.GetOptions{})
	if err != nil || found.Labels["kubernetes.io/metadata.name"] != namespace {
		return fmt.Errorf("metadata: %v, %w", found, err)
	}
	list, err := client.Resource(resource).List(context.Background(), meta.ListOptions{})
	if err != nil || len(list.Items) < 4 {
		return fmt.Errorf("metadata: %v, %w", list, err)
	}
	return nil
}

func refuse(client kubernetes.Interface) error {
	_, err := client.CoreV1().Pods(namespace).Create(context.Background(), &core.Pod{}, meta.CreateOptions{})
	if err == nil || !strings.Contains(err.Error(), "spec.containers: Required value") {
		return fmt.Errorf("an empty pod is refused as %v", err)
	}
	_, err = client.CoreV1().Pods(namespace).Get(context.Background(), "none", meta.GetOptions{})
	if err == nil || err.Error() != `pods "none" not found` {
		return fmt.Errorf("a pod that is not there is refused as %v", err)
	}
	return nil
}

func main() {
	config, err := clientcmd.BuildConfigFromFlags("", os.Args[1])
	if err != nil {
		panic(err)
	}
	config.QPS = -1
	plain := rest.CopyConfig(config)
	plain.ContentType, plain.AcceptContentTypes = "application/json", "application/json"
	seen := &forms{sent: map[string]int{}, received: map[string]int{}}
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { seen.next = next; return seen })
	fastClient, plainClient := kubernetes.NewForConfigOrDie(config), kubernetes.NewForConfigOrDie(plain)

	failed := 0
	check := func(what string, err error) {
		if err != nil {
			fmt.Printf("%s: %v\n", what, err)
			failed++
		}
	}
	for _, one := range kinds(fastClient, plainClient) {
		check(one.name, one.check())
	}
	check("refusals", refuse(fastClient))
	check("leader election", lead(fastClient))
	check("informers", inform(fastClient))
	for what, counts := range map[string]map[string]int{"sent": seen.sent, "received": seen.received} {
		if counts[protobuf] == 0 || len(counts) != 1 {
			check(what, fmt.Errorf("not in protobuf alone: %v", counts))
		}
	}
	check("metadata client", readMetadata(config))
	if failed > 0 {
		os.Exit(1)
	}
	fmt.Println("ok")
}
