package main

import (
	"time"

	coordination "k8s.io/api/coordination/v1"
	core "k8s.io/api/core/v1"
	discovery "k8s.io/api/discovery/v1"
	networking "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"
)

type kind struct {
	name  string
	check func() error
}

func named(name string) meta.ObjectMeta {
	return meta.ObjectMeta{Name: name, Labels: map[string]string{"a": "b", "empty": ""},
		Annotations:     map[string]string{"note": "üñï ☃ 😀"},
		OwnerReferences: []meta.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "o", UID: "u", Controller: ptr.To(false)}}}
}

func inNamespace(name string) meta.ObjectMeta {
	out := named(name)
	out.Namespace = namespace
	return out
}

// kinds is every kind with an object that uses what is peculiar about its form.
func kinds(fast, plain kubernetes.Interface) []kind {
	f, p := fast.CoreV1(), plain.CoreV1()
	return []kind{
		{"Namespace", func() error {
			return roundTrip(f.Namespaces(), p.Namespaces(), &core.Namespace{ObjectMeta: named("round")})
		}},
		{"ServiceAccount", func() error {
			return roundTrip(f.ServiceAccounts(namespace), p.ServiceAccounts(namespace), &core.ServiceAccount{
				ObjectMeta: inNamespace("round"), Secrets: []core.ObjectReference{{Name: "s"}},
				ImagePullSecrets: []core.LocalObjectReference{{Name: "i"}}, AutomountServiceAccountToken: ptr.To(false)})
		}},
		{"ConfigMap", func() error {
			return roundTrip(f.ConfigMaps(namespace), p.ConfigMaps(namespace), &core.ConfigMap{
				ObjectMeta: inNamespace("round"), Data: map[string]string{"k": "v\x00w", "empty": ""},
				BinaryData: map[string][]byte{"b": {0, 255, 1}}, Immutable: ptr.To(false)})
		}},
		{"Secret", func() error {
			return roundTrip(f.Secrets(namespace), p.Secrets(namespace), &core.Secret{
				ObjectMeta: inNamespace("round"), Data: map[string][]byte{"k": {0, 255}, "empty": {}},
				StringData: map[string]string{"text": "t"}, Type: "example.com/kind"})
		}},
		{"Event", func() error {
			return roundTrip(f.Events(namespace), p.Events(namespace), &core.Event{
				ObjectMeta: inNamespace("round"), InvolvedObject: core.ObjectReference{Kind: "Pod", Name: "p", Namespace: namespace},
				Reason: "Tried", Message: "m", Source: core.EventSource{Component: "c", Host: "h"}, Count: 3, Type: "Normal",
				FirstTimestamp: meta.Unix(1_600_000_000, 0), LastTimestamp: meta.Unix(1_600_000_001, 0),
				EventTime: meta.NewMicroTime(time.Unix(1_600_000_000, 123_456_000)),
				Series:    &core.EventSeries{Count: 2, LastObservedTime: meta.NewMicroTime(time.Unix(1_600_000_000, 1000))},
				Action:    "do", Related: &core.ObjectReference{Name: "r"}, ReportingController: "example.com/c", ReportingInstance: "i"})
		}},
		{"Pod", func() error { return roundTrip(f.Pods(namespace), p.Pods(namespace), pod()) }},
		{"Node", func() error { return roundTrip(f.Nodes(), p.Nodes(), node()) }},
		{"Service", func() error { return roundTrip(f.Services(namespace), p.Services(namespace), service()) }},
		{"Endpoints", func() error {
			return roundTrip(f.Endpoints(namespace), p.Endpoints(namespace), &core.Endpoints{
				ObjectMeta: inNamespace("round"), Subsets: []core.EndpointSubset{{
					Addresses:         []core.EndpointAddress{{IP: "10.0.0.1", NodeName: ptr.To("n"), TargetRef: &core.ObjectReference{Name: "p"}}},
					NotReadyAddresses: []core.EndpointAddress{{IP: "10.0.0.2", Hostname: "h"}},
					Ports:             []core.EndpointPort{{Name: "http", Port: 80, Protocol: "TCP", AppProtocol: ptr.To("http")}}}}})
		}},
		{"Lease", func() error {
			return roundTrip(fast.CoordinationV1().Leases(namespace), plain.CoordinationV1().Leases(namespace), &coordination.Lease{
				ObjectMeta: inNamespace("round"), Spec: coordination.LeaseSpec{
					HolderIdentity: ptr.To("me"), LeaseDurationSeconds: ptr.To(int32(15)), LeaseTransitions: ptr.To(int32(0)),
					AcquireTime: ptr.To(meta.NewMicroTime(time.Unix(1_600_000_000, 999_999_000))),
					RenewTime:   ptr.To(meta.NewMicroTime(time.Unix(1_600_000_000, 0)))}})
		}},
		{"EndpointSlice", func() error {
			return roundTrip(fast.DiscoveryV1().EndpointSlices(namespace), plain.DiscoveryV1().EndpointSlices(namespace), &discovery.EndpointSlice{
				ObjectMeta: inNamespace("round"), AddressType: discovery.AddressTypeIPv4,
				Endpoints: []discovery.Endpoint{{
					Addresses: []string{"10.0.0.1"}, Conditions: discovery.EndpointConditions{Ready: ptr.To(false), Serving: ptr.To(true)},
					NodeName: ptr.To("n"), Zone: ptr.To("z"), TargetRef: &core.ObjectReference{Kind: "Pod", Name: "p"},
					Hints: &discovery.EndpointHints{ForZones: []discovery.ForZone{{Name: "z"}}}}},
				Ports: []discovery.EndpointPort{{Name: ptr.To("http"), Port: ptr.To(int32(80)), Protocol: ptr.To(core.ProtocolTCP)}}})
		}},
		{"NetworkPolicy", func() error {
			return roundTrip(fast.NetworkingV1().NetworkPolicies(namespace), plain.NetworkingV1().NetworkPolicies(namespace), networkPolicy())
		}},
	}
}

func networkPolicy() *networking.NetworkPolicy {
	return &networking.NetworkPolicy{ObjectMeta: inNamespace("round"), Spec: networking.NetworkPolicySpec{
		PodSelector: meta.LabelSelector{MatchExpressions: []meta.LabelSelectorRequirement{{Key: "k", Operator: "In", Values: []string{"v", "w"}}}},
		Ingress: []networking.NetworkPolicyIngressRule{{}, {
			Ports: []networking.NetworkPolicyPort{{Port: ptr.To(intstr.FromString("http")), Protocol: ptr.To(core.ProtocolTCP)},
				{Port: ptr.To(intstr.FromInt32(80)), EndPort: ptr.To(int32(90)), Protocol: ptr.To(core.ProtocolUDP)}},
			From: []networking.NetworkPolicyPeer{{NamespaceSelector: &meta.LabelSelector{}},
				{PodSelector: &meta.LabelSelector{MatchLabels: map[string]string{"a": "b"}}},
				{IPBlock: &networking.IPBlock{CIDR: "10.0.0.0/8", Except: []string{"10.1.0.0/16"}}}}}},
		PolicyTypes: []networking.PolicyType{"Ingress", "Egress"}}}
}

func service() *core.Service {
	return &core.Service{ObjectMeta: inNamespace("round"), Spec: core.ServiceSpec{
		Ports: []core.ServicePort{{Name: "http", Port: 80, TargetPort: intstr.FromString("web"), Protocol: "TCP"},
			{Name: "dns", Port: 53, Protocol: "UDP", AppProtocol: ptr.To("dns")}},
		Selector: map[string]string{"app": "web"}, ClusterIP: "None", SessionAffinity: core.ServiceAffinityClientIP,
		SessionAffinityConfig: &core.SessionAffinityConfig{ClientIP: &core.ClientIPConfig{TimeoutSeconds: ptr.To(int32(60))}},
		IPFamilies:            []core.IPFamily{core.IPv4Protocol}, IPFamilyPolicy: ptr.To(core.IPFamilyPolicySingleStack),
		PublishNotReadyAddresses: true}}
}

func node() *core.Node {
	return &core.Node{ObjectMeta: named("round"),
		Spec: core.NodeSpec{PodCIDR: "10.0.0.0/24", PodCIDRs: []string{"10.0.0.0/24"}, ProviderID: "x://y", Unschedulable: true,
			Taints: []core.Taint{{Key: "k", Value: "v", Effect: core.TaintEffectNoSchedule, TimeAdded: ptr.To(meta.Unix(1_600_000_000, 0))}}},
		Status: core.NodeStatus{
			Capacity:  core.ResourceList{"cpu": resource.MustParse("2"), "memory": resource.MustParse("128Mi")},
			Addresses: []core.NodeAddress{{Type: core.NodeInternalIP, Address: "192.0.2.1"}},
			Conditions: []core.NodeCondition{{Type: core.NodeReady, Status: core.ConditionTrue, Reason: "r", Message: "m",
				LastHeartbeatTime: meta.Unix(1_600_000_000, 0), LastTransitionTime: meta.Unix(1_600_000_001, 0)}},
			DaemonEndpoints: core.NodeDaemonEndpoints{KubeletEndpoint: core.DaemonEndpoint{Port: 10250}},
			NodeInfo:        core.NodeSystemInfo{KubeletVersion: "v1.37.0", OperatingSystem: "linux", Architecture: "amd64"},
			Images:          []core.ContainerImage{{Names: []string{"i"}, SizeBytes: 1 << 40}}}}
}

func pod() *core.Pod {
	labels := &meta.LabelSelector{MatchLabels: map[string]string{"app": "web"}}
	return &core.Pod{ObjectMeta: inNamespace("round"), Spec: core.PodSpec{
		NodeName: "n", ServiceAccountName: "default", HostNetwork: true, ShareProcessNamespace: ptr.To(false), Priority: ptr.To(int32(-1)),
		RestartPolicy: core.RestartPolicyAlways, DNSPolicy: core.DNSClusterFirst, TerminationGracePeriodSeconds: ptr.To(int64(0)),
		SchedulerName: "default-scheduler", NodeSelector: map[string]string{"os": "linux"},
		EnableServiceLinks: ptr.To(true), PreemptionPolicy: ptr.To(core.PreemptNever),
		Overhead: core.ResourceList{"cpu": resource.MustParse("100m")},
		Affinity: &core.Affinity{
			NodeAffinity: &core.NodeAffinity{
				RequiredDuringSchedulingIgnoredDuringExecution: &core.NodeSelector{NodeSelectorTerms: []core.NodeSelectorTerm{{
					MatchExpressions: []core.NodeSelectorRequirement{{Key: "k", Operator: core.NodeSelectorOpExists}}}}},
				PreferredDuringSchedulingIgnoredDuringExecution: []core.PreferredSchedulingTerm{{Weight: 1, Preference: core.NodeSelectorTerm{
					MatchFields: []core.NodeSelectorRequirement{{Key: "metadata.name", Operator: core.NodeSelectorOpIn, Values: []string{"n"}}}}}}},
			PodAntiAffinity: &core.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []core.PodAffinityTerm{{
				LabelSelector: labels, TopologyKey: "kubernetes.io/hostname", NamespaceSelector: &meta.LabelSelector{}}}}},
		Tolerations:               []core.Toleration{{Operator: core.TolerationOpExists, TolerationSeconds: ptr.To(int64(0))}},
		HostAliases:               []core.HostAlias{{IP: "10.0.0.1", Hostnames: []string{"h"}}},
		SecurityContext:           &core.PodSecurityContext{RunAsUser: ptr.To(int64(0)), SupplementalGroups: []int64{1, 2}, Sysctls: []core.Sysctl{{Name: "a", Value: "b"}}},
		DNSConfig:                 &core.PodDNSConfig{Nameservers: []string{"10.0.0.53"}, Options: []core.PodDNSConfigOption{{Name: "ndots", Value: ptr.To("5")}}},
		TopologySpreadConstraints: []core.TopologySpreadConstraint{{MaxSkew: 1, TopologyKey: "zone", WhenUnsatisfiable: core.DoNotSchedule, LabelSelector: labels}},
		ReadinessGates:            []core.PodReadinessGate{{ConditionType: "example.com/gate"}},
		Volumes: []core.Volume{
			{Name: "empty", VolumeSource: core.VolumeSource{EmptyDir: &core.EmptyDirVolumeSource{SizeLimit: ptr.To(resource.MustParse("1Gi"))}}},
			{Name: "config", VolumeSource: core.VolumeSource{ConfigMap: &core.ConfigMapVolumeSource{
				LocalObjectReference: core.LocalObjectReference{Name: "c"}, Items: []core.KeyToPath{{Key: "k", Path: "p", Mode: ptr.To(int32(0))}}}}},
			{Name: "token", VolumeSource: core.VolumeSource{Projected: &core.ProjectedVolumeSource{Sources: []core.VolumeProjection{
				{ServiceAccountToken: &core.ServiceAccountTokenProjection{Path: "t", ExpirationSeconds: ptr.To(int64(3607))}},
				{DownwardAPI: &core.DownwardAPIProjection{Items: []core.DownwardAPIVolumeFile{{Path: "n", FieldRef: &core.ObjectFieldSelector{FieldPath: "metadata.name"}}}}}}}}},
			{Name: "host", VolumeSource: core.VolumeSource{HostPath: &core.HostPathVolumeSource{Path: "/", Type: ptr.To(core.HostPathDirectory)}}}},
		InitContainers: []core.Container{container("init", func(c *core.Container) { c.RestartPolicy = ptr.To(core.ContainerRestartPolicyAlways) })},
		Containers: []core.Container{container("main", func(c *core.Container) {
			c.Ports = []core.ContainerPort{{Name: "web", ContainerPort: 8080, Protocol: "TCP"}, {ContainerPort: 53, Protocol: "UDP"}}
			c.Env = []core.EnvVar{{Name: "A", Value: "b"}, {Name: "N", ValueFrom: &core.EnvVarSource{FieldRef: &core.ObjectFieldSelector{FieldPath: "spec.nodeName"}}},
				{Name: "S", ValueFrom: &core.EnvVarSource{SecretKeyRef: &core.SecretKeySelector{LocalObjectReference: core.LocalObjectReference{Name: "s"}, Key: "k", Optional: ptr.To(false)}}}}
			c.EnvFrom = []core.EnvFromSource{{Prefix: "P", ConfigMapRef: &core.ConfigMapEnvSource{LocalObjectReference: core.LocalObjectReference{Name: "c"}}}}
			c.Resources = core.ResourceRequirements{Requests: core.ResourceList{"cpu": resource.MustParse("1500m")}, Limits: core.ResourceList{"memory": resource.MustParse("1Gi")}}
			c.VolumeMounts = []core.VolumeMount{{Name: "empty", MountPath: "/e", ReadOnly: true}}
			c.LivenessProbe = &core.Probe{ProbeHandler: core.ProbeHandler{HTTPGet: &core.HTTPGetAction{Path: "/", Port: intstr.FromInt32(8080), Scheme: "HTTP",
				HTTPHeaders: []core.HTTPHeader{{Name: "h", Value: "v"}}}}, PeriodSeconds: 10, TimeoutSeconds: 1, SuccessThreshold: 1, FailureThreshold: 3}
			c.ReadinessProbe = &core.Probe{ProbeHandler: core.ProbeHandler{TCPSocket: &core.TCPSocketAction{Port: intstr.FromString("web")}}}
			c.Lifecycle = &core.Lifecycle{PreStop: &core.LifecycleHandler{Exec: &core.ExecAction{Command: []string{"sleep", "1"}}}}
			c.SecurityContext = &core.SecurityContext{Privileged: ptr.To(true), Capabilities: &core.Capabilities{Drop: []core.Capability{"ALL"}},
				SeccompProfile: &core.SeccompProfile{Type: core.SeccompProfileTypeRuntimeDefault}}
		})}}}
}

func container(name string, more func(*core.Container)) core.Container {
	out := core.Container{Name: name, Image: "i:1", ImagePullPolicy: core.PullIfNotPresent,
		TerminationMessagePath: core.TerminationMessagePathDefault, TerminationMessagePolicy: core.TerminationMessageReadFile}
	more(&out)
	return out
}
