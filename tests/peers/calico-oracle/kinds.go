package main

import (
	"fmt"

	api "github.com/projectcalico/libcalico-go/lib/apis/v3"
)

// newObject makes an empty object of a kind of projectcalico.org/v3.
func newObject(kind string) (interface{}, error) {
	switch kind {
	case api.KindNetworkPolicy:
		return api.NewNetworkPolicy(), nil
	case api.KindGlobalNetworkPolicy:
		return api.NewGlobalNetworkPolicy(), nil
	case api.KindNetworkSet:
		return api.NewNetworkSet(), nil
	case api.KindGlobalNetworkSet:
		return api.NewGlobalNetworkSet(), nil
	case api.KindProfile:
		return api.NewProfile(), nil
	case api.KindHostEndpoint:
		return api.NewHostEndpoint(), nil
	case api.KindWorkloadEndpoint:
		return api.NewWorkloadEndpoint(), nil
	case api.KindIPPool:
		return api.NewIPPool(), nil
	case api.KindNode:
		return api.NewNode(), nil
	case api.KindFelixConfiguration:
		return api.NewFelixConfiguration(), nil
	case api.KindClusterInformation:
		return api.NewClusterInformation(), nil
	case api.KindBGPConfiguration:
		return api.NewBGPConfiguration(), nil
	case api.KindBGPPeer:
		return api.NewBGPPeer(), nil
	case api.KindKubeControllersConfiguration:
		return api.NewKubeControllersConfiguration(), nil
	}
	return nil, fmt.Errorf("no kind %q", kind)
}
