package main

import (
	"errors"
	"fmt"

	api "github.com/projectcalico/libcalico-go/lib/apis/v3"
	"github.com/projectcalico/libcalico-go/lib/names"
	cnet "github.com/projectcalico/libcalico-go/lib/net"
)

const (
	defaultAllowProfile = "projectcalico-default-allow"
	onlyName            = "default" // of kinds that have one object, or settings of the whole cluster
)

// prepareAsClient does what Calico's client does to an object, and asks of it, before validation
// and without looking at the datastore. (The client's own functions cannot be called without one.)
func prepareAsClient(object interface{}) error {
	switch object := object.(type) {
	case *api.IPPool:
		return preparePool(&object.Spec)
	case *api.WorkloadEndpoint:
		return checkEndpointName(object)
	case *api.Profile:
		if object.Name == defaultAllowProfile {
			return fmt.Errorf("%s is reserved", defaultAllowProfile)
		}
	case *api.ClusterInformation:
		if object.Name != onlyName {
			return fmt.Errorf("the name must be %q", onlyName)
		}
	case *api.KubeControllersConfiguration:
		if object.Name != onlyName {
			return fmt.Errorf("the name must be %q", onlyName)
		}
		if object.Spec.PrometheusMetricsPort == nil {
			port := 9094
			object.Spec.PrometheusMetricsPort = &port
		}
	case *api.BGPConfiguration:
		if object.Name != onlyName && hasClusterSettings(&object.Spec) {
			return fmt.Errorf("some settings are for the name %q only", onlyName)
		}
	}
	return nil
}

func hasClusterSettings(spec *api.BGPConfigurationSpec) bool {
	return spec.NodeToNodeMeshEnabled != nil || spec.ASNumber != nil || len(spec.ServiceLoadBalancerIPs) > 0 ||
		len(spec.ServiceExternalIPs) > 0 || len(spec.ServiceClusterIPs) > 0
}

func preparePool(pool *api.IPPoolSpec) error {
	address, cidr, err := cnet.ParseCIDR(pool.CIDR)
	if err != nil {
		return err
	}
	pool.CIDR = cidr.String()
	if pool.NodeSelector == "" {
		pool.NodeSelector = "all()"
	}
	least, most, usual := 20, 32, 26
	if address.Version() == 6 {
		least, most, usual = 116, 128, 122
	}
	if pool.BlockSize == 0 {
		pool.BlockSize = usual
	}
	if pool.BlockSize < least || pool.BlockSize > most {
		return fmt.Errorf("block size %d is not within %d and %d", pool.BlockSize, least, most)
	}
	if pool.IPIPMode == "" {
		pool.IPIPMode = api.IPIPModeNever
	}
	if pool.VXLANMode == "" {
		pool.VXLANMode = api.VXLANModeNever
	}
	return nil
}

func checkEndpointName(endpoint *api.WorkloadEndpoint) error {
	parts := names.WorkloadEndpointIdentifiers{
		Node:         endpoint.Spec.Node,
		Orchestrator: endpoint.Spec.Orchestrator,
		Endpoint:     endpoint.Spec.Endpoint,
		Workload:     endpoint.Spec.Workload,
		Pod:          endpoint.Spec.Pod,
		ContainerID:  endpoint.Spec.ContainerID,
	}
	name, err := parts.CalculateWorkloadEndpointName(false)
	if err != nil {
		return err
	}
	if endpoint.Name == "" {
		endpoint.Name = name
	}
	if endpoint.Name != name {
		return errors.New("the name must be " + name)
	}
	return nil
}
