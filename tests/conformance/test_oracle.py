"""The oracle against truth tables written by hand, so that the conformance tests can trust it."""

from oracle import Oracle, Pod, labels_match

A = Pod("x", "a", {"pod": "a"}, ["10.0.0.1", "fd00::1"], {("serve-80-tcp", "TCP"): 80})
B = Pod("x", "b", {"pod": "b"}, ["10.0.0.2", "fd00::2"], {("serve-80-tcp", "TCP"): 80})
C = Pod("y", "a", {"pod": "a"}, ["10.0.1.1", "fd00::1:1"], {("serve-80-tcp", "TCP"): 80})
NAMESPACES = {"x": {"ns": "x"}, "y": {"ns": "y"}}


def oracle(*specs):
    return Oracle(NAMESPACES, [A, B, C], [{"metadata": {"namespace": "x", "name": str(i)}, "spec": spec}
                                          for i, spec in enumerate(specs)])


def reached(policies, source, target, protocol="TCP", port=80, address=None):
    return oracle(*policies).allows(source, target, protocol, port, address or target.addresses[0])


def test_without_policy_everything_passes():
    assert reached([], A, B) and reached([], C, A)


def test_an_empty_policy_isolates_the_namespace_for_ingress_alone():
    deny = {"podSelector": {}}
    assert not reached([deny], A, B) and not reached([deny], C, A)
    assert reached([deny], A, C)


def test_egress_rules_make_it_an_egress_policy():
    to_nobody = {"to": [{"podSelector": {"matchLabels": {"pod": "nobody"}}}]}
    assert not reached([{"podSelector": {}, "egress": [to_nobody]}], A, C)
    assert reached([{"podSelector": {}, "egress": []}], A, C), "an empty list is as none"
    assert reached([{"podSelector": {}, "ingress": [{}]}], A, C)


def test_policies_add_up():
    deny, allow = {"podSelector": {}}, {"podSelector": {}, "ingress": [{"from": [{"podSelector": {"matchLabels": {"pod": "a"}}}]}]}
    assert reached([deny, allow], A, B)
    assert not reached([deny, allow], C, B), "a podSelector alone means the policy's own namespace"


def test_namespace_and_pod_selector_of_one_peer_must_both_match():
    both = {"podSelector": {}, "ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"ns": "y"}},
                                                      "podSelector": {"matchLabels": {"pod": "b"}}}]}]}
    either = {"podSelector": {}, "ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"ns": "y"}}},
                                                       {"podSelector": {"matchLabels": {"pod": "b"}}}]}]}
    assert not reached([both], C, A)
    assert reached([either], C, A) and reached([either], B, A)


def test_ports():
    def with_port(entry):
        return [{"podSelector": {}, "ingress": [{"ports": [entry]}]}]
    assert reached(with_port({"port": 80}), A, B) and not reached(with_port({"port": 80}), A, B, "UDP")
    assert not reached(with_port({"port": 81}), A, B)
    assert reached(with_port({"port": 70, "endPort": 80}), A, B) and not reached(with_port({"port": 70, "endPort": 79}), A, B)
    assert reached(with_port({"port": "serve-80-tcp"}), A, B) and not reached(with_port({"port": "other"}), A, B)
    assert reached(with_port({}), A, B, port=9) and not reached(with_port({}), A, B, "UDP", port=9)


def test_blocks_speak_for_their_own_family():
    block = [{"podSelector": {}, "ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.0.1.0/24"]}}]}]}]
    assert reached(block, A, B) and not reached(block, C, B)
    assert not reached(block, A, B, address="fd00::2")


def test_expressions():
    labels = {"k": "v"}
    assert labels_match({"matchExpressions": [{"key": "k", "operator": "In", "values": ["v", "w"]}]}, labels)
    assert not labels_match({"matchExpressions": [{"key": "k", "operator": "NotIn", "values": ["v"]}]}, labels)
    assert labels_match({"matchExpressions": [{"key": "z", "operator": "NotIn", "values": ["v"]}]}, labels)
    assert labels_match({"matchExpressions": [{"key": "k", "operator": "Exists"}]}, labels)
    assert not labels_match({"matchExpressions": [{"key": "k", "operator": "DoesNotExist"}]}, labels)
    assert labels_match({}, {})
