package correlator

import "slices"

// This file is data: which labels name the subject of an alert, and by what one knows
// that an alert was measured by something that watches others. Each row stands for a
// convention of exporters, not for an installation. The rows of the test beside it show
// what each is for.

// form says how a label's value names an item.
type form uint8

const (
	formName    form = iota // by its name
	formMachine             // a machine: name, full name, address, with or without a port
	formPod                 // a pod: else the workload that its name is made from
	formJob                 // a Kubernetes Job: else the CronJob that its name is made from
	formSet                 // a ReplicaSet: the workload that its name is made from
	formVolume              // a volume claim: the pod or stateful set that its name ends with
	formTarget              // what is probed: a URL, a host with or without a port
	formID                  // the last part of a path, an ARN, or a kind/number
	formRoute               // a proxy's name of what is behind it, with its habits of writing
	formUnit                // a unit or program on the machine that the other labels name
	formMember              // a member of what the other labels name, or a machine
)

var (
	machines  = []string{"host", "virtual_machine", "hypervisor", "switch", "pdu", "container"}
	engines   = []string{"database", "cache", "queue", "loadbalancer", "storage"}
	workloads = []string{"workload", "service"}
	services  = []string{"service", "workload"}
	// callables are all that a caller may call a service.
	callables = slices.Concat(services, engines, []string{"external", "application", "business_service"})
	vms       = []string{"virtual_machine", "host", "container"}
	pods      = []string{"pod"}
)

// labelRow is one kind of subject and the labels that name it, the commonest first. A
// label with dots is looked for as OTLP's UTF-8 names have it and with underscores.
type labelRow struct {
	labels  []string
	form    form
	classes []string
	score   int
	// of limits the row to alerts of these watchers: elsewhere the label means another thing.
	of []string
}

// subjects are the labels that name what an alert is about, the most specific first.
// "exported_" before a label says that the same label without it is the scrape target's.
var subjects = []labelRow{
	{labels: []string{"exported_pod", "exported_pod_name"}, form: formPod, classes: pods, score: 95},
	{labels: []string{"pod", "pod_name", "kube_pod_name", "kube_pod", "kubernetes_pod_name", "kubernetes_pod", "k8s.pod.name", "io_kubernetes_pod_name", "destination_pod"}, form: formPod, classes: pods, score: 95},
	{labels: []string{"job_name", "exported_job_name", "k8s.job.name", "kube_job"}, form: formJob, classes: workloads, score: 90},
	{labels: []string{"cronjob", "k8s.cronjob.name", "kube_cronjob"}, classes: workloads, score: 90},
	{labels: []string{"deployment", "kube_deployment", "k8s.deployment.name", "exported_deployment", "deployment_name"}, classes: workloads, score: 90},
	{labels: []string{"statefulset", "kube_statefulset", "kube_stateful_set", "k8s.statefulset.name", "exported_statefulset"}, classes: workloads, score: 90},
	{labels: []string{"daemonset", "kube_daemonset", "kube_daemon_set", "k8s.daemonset.name", "exported_daemonset"}, classes: workloads, score: 90},
	{labels: []string{"replicaset", "k8s.replicaset.name", "kube_replica_set"}, form: formSet, classes: workloads, score: 85},
	{labels: []string{"horizontalpodautoscaler", "hpa", "k8s.hpa.name", "scaledobject", "scaledObject", "exported_scaledObject", "verticalpodautoscaler", "scaletargetref_name", "target_name"}, classes: workloads, score: 85},
	{labels: []string{"poddisruptionbudget", "rollout", "replicationcontroller", "workload", "exported_workload", "destination_workload", "label_app_kubernetes_io_name", "created_by_name", "owner_name"}, form: formSet, classes: workloads, score: 85},
	{labels: []string{"persistentvolumeclaim", "exported_persistentvolumeclaim", "k8s.persistentvolumeclaim.name", "pvc"}, form: formVolume, classes: []string{"storage"}, score: 80},
	{labels: []string{"exported_service", "destination_service_name", "destination_canonical_service", "destination_app", "kube_service", "k8s.service.name"}, form: formRoute, classes: callables, score: 90},
	{labels: []string{"ingress", "exported_ingress", "httproute", "exported_route", "route"}, form: formRoute, classes: callables, score: 80},
	{labels: []string{"endpoint", "service"}, form: formRoute, classes: callables, score: 80, of: []string{"kube-state-metrics"}},
	{labels: []string{"consumergroup", "consumer_group", "group_id", "kafka_consumer_group"}, classes: callables, score: 90},
	{labels: []string{"service.name", "otel_service_name", "exported_service_name", "destination_service", "sloth_service", "slo_service", "exported_app", "application"}, form: formRoute, classes: callables, score: 95},
	{labels: []string{"app", "app_kubernetes_io_name", "app.kubernetes.io/name", "k8s_app", "app_kubernetes_io_instance", "kubernetes_name"}, classes: callables, score: 90},
	{labels: []string{"server"}, form: formMember, classes: slices.Concat(machines, callables), score: 85, of: []string{"haproxy"}},
	{labels: []string{"proxy", "backend", "backend_name", "upstream", "envoy_cluster_name", "upstream_cluster", "haproxy_proxy"}, form: formRoute, classes: callables, score: 85, of: []string{"haproxy", "nginx", "traefik", "envoy"}},
	{labels: []string{"service"}, form: formRoute, classes: callables, score: 85, of: []string{"traefik"}},
	{labels: []string{"vm_name", "vmname", "vm", "guest_name", "virtualmachine", "domain", "exported_domain", "exported_vm_name", "instance_name", "exported_instance_name", "dimension_InstanceId", "instance_id", "exported_instance_id"}, form: formID, classes: vms, score: 90},
	{labels: []string{"id", "object"}, form: formID, classes: slices.Concat(vms, machines), score: 90, of: []string{"proxmox", ""}},
	{labels: []string{
		"dimension_DBInstanceIdentifier", "dimension_DBClusterIdentifier", "dbinstance_identifier", "db_instance_identifier", "db_instance", "database_id", "dimension_TableName",
		"dimension_CacheClusterId", "dimension_LoadBalancer", "dimension_LoadBalancerName", "dimension_QueueName", "dimension_BucketName", "dimension_FunctionName", "dimension_DomainName",
		"queue_name", "bucket_name", "function_name", "load_balancer_name", "subscription_id", "resource_name", "resource_id", "resourceName", "resourceID", "azure_resource_name",
	}, form: formID, classes: slices.Concat(engines, services, vms, []string{"external"}), score: 90},
	{labels: []string{"name"}, form: formID, classes: slices.Concat(engines, services, vms), score: 85, of: []string{"cloud"}},
	{labels: []string{"ds_name", "datastore"}, classes: []string{"storage"}, score: 85, of: []string{"vmware"}},
	{labels: []string{"exported_url", "exported_target"}, form: formTarget, score: 90},
	{labels: []string{"target", "url", "probe_target", "target_url", "http.url", "url.full", "server.address", "endpoint_url", "remote_address"}, form: formTarget, score: 90},
	{labels: []string{"exported_instance"}, form: formTarget, score: 95},
	{labels: []string{"exported_node", "exported_host", "exported_hostname", "exported_nodename"}, form: formMachine, classes: machines, score: 95},
	{labels: []string{"name", "unit", "groupname"}, form: formUnit, classes: slices.Concat(services, engines, []string{"container"}), score: 85, of: []string{"node", "cadvisor"}},
	{labels: []string{"name"}, form: formMachine, classes: machines, score: 85, of: []string{"elasticsearch"}},
	{labels: []string{"node", "rabbitmq_node"}, form: formMachine, classes: machines, score: 95},
	{labels: []string{
		"nodename", "node_name", "kube_node", "k8s.node.name", "kubernetes_node", "host", "hostname", "host_name", "host.name", "fqdn", "computer", "computer_name", "machine", "server_name", "agent_host", "agent_hostname",
		"member_idx", "addr", "server", "device_name", "sysName", "sys_name", "switch", "esxi", "hypervisor", "chassis", "ups", "device_ip", "ip", "net.host.name", "peer_host",
	}, form: formMachine, classes: machines, score: 95},
	{labels: []string{"device"}, form: formMachine, classes: machines, score: 80, of: []string{"snmp", "ups", ""}},
	{labels: []string{"host", "vhost", "server_name", "authority", "exported_host"}, form: formTarget, score: 75},
	{labels: []string{"exported_job"}, form: formRoute, classes: callables, score: 70},
}

// places are labels that say only where the subject is, the narrowest first.
var places = []struct {
	labels []string
	class  string
}{
	{namespaceLabels, "namespace"},
	{clusterLabels, "cluster"},
	{[]string{"rack"}, "rack"},
	{[]string{"site", "datacenter", "dc", "dc_name", "location"}, "site"},
}

var (
	namespaceLabels = []string{"exported_namespace", "namespace", "kube_namespace", "k8s.namespace.name", "kube_namespace_name", "kubernetes_namespace", "destination_service_namespace", "destination_workload_namespace", "service.namespace"}
	clusterLabels   = []string{"cluster", "k8s_cluster", "k8s.cluster.name", "cluster_name", "kubernetes_cluster"}
	// owned are labels that say that the namespace itself is meant, not something in it.
	owned = []string{"resourcequota", "limitrange", "k8s.resourcequota.name"}
)

// what a watcher watches
type watches uint8

const (
	_ watches = iota // it speaks of itself
	// watchesMachine: the machine that it runs on.
	watchesMachine
	// watchesBeside: a server beside it, on the same machine or in the same pod.
	watchesBeside
	// watchesOthers: its instance, pod and node say nothing about the subject.
	watchesOthers
	// watchesObjects: others too, and its samples bring their own pod, node and service
	// labels, which take the target's place unless they name the watcher itself.
	watchesObjects
	// watchesProbed: others too, and a common relabelling puts what it probes into
	// instance: that is the subject unless it is the watcher's own address.
	watchesProbed
	// watchesContainers: pods and volumes of the machine that it runs on, or the machine.
	watchesContainers
)

// watcher is one kind of program that measures something else.
type watcher struct {
	name    string
	watches watches
	// names are full names, known wherever they stand: in a job, a service, an app, a
	// pod or an item. jobs are short ones that only a job's name is read for.
	names, jobs []string
	ports       []int    // that nothing else commonly has
	engine      []string // words of the products that one beside an engine watches
}

// watchers are matched by the longest name. A program that is none of them and is called
// "… exporter" is taken for one beside what the rest of its name says.
var watchers = []watcher{
	{name: "kube-state-metrics", watches: watchesObjects, names: []string{"kube-state-metrics", "ksm", "openshift-state-metrics", "kube-eventer", "kubernetes-event-exporter", "opencost", "kubecost", "goldilocks"}},
	{name: "kubelet", watches: watchesContainers, names: []string{"kubelet"}, jobs: []string{"kubernetes-nodes", "kubernetes-nodes-cadvisor"}, ports: []int{10250, 10255}},
	{name: "cadvisor", watches: watchesContainers, names: []string{"cadvisor", "kubernetes-cadvisor"}, jobs: []string{"docker", "podman-exporter"}, ports: []int{4194}},
	{name: "node", watches: watchesMachine, names: []string{"node-exporter", "prometheus-node-exporter", "systemd-exporter", "process-exporter", "macos-exporter", "node-problem-detector"}, jobs: []string{"node", "nodes", "linux", "host", "hosts", "machine", "systemd", "integrations-unix"}, ports: []int{9100, 9256, 9558}},
	{name: "windows", watches: watchesMachine, names: []string{"windows-exporter", "wmi-exporter", "windows-node-exporter"}, jobs: []string{"windows", "wmi"}, ports: []int{9182}},
	{name: "hardware", watches: watchesMachine, names: []string{"smartctl-exporter", "dcgm-exporter", "nvidia-dcgm-exporter", "nvidia-gpu-exporter", "nvidia-device-plugin", "nvidia-smi-exporter", "storcli-exporter", "mdadm-exporter", "rasdaemon-exporter", "chrony-exporter", "ntp-exporter", "conntrack-exporter", "ebpf-exporter", "netdata", "collectd", "telegraf", "collectd-exporter", "zfs-exporter", "nfs-exporter"}, jobs: []string{"smartctl", "smart", "gpu", "dcgm", "zfs"}, ports: []int{9633, 9400, 9835, 9103, 9273, 19999}},
	{name: "ipmi", watches: watchesProbed, names: []string{"ipmi-exporter", "redfish-exporter", "idrac-exporter", "ilo-exporter"}, jobs: []string{"ipmi", "redfish", "idrac", "ilo"}, ports: []int{9290, 9610}},
	{name: "blackbox", watches: watchesProbed, names: []string{"blackbox-exporter", "prometheus-blackbox-exporter", "ssl-exporter", "cert-exporter", "x509-certificate-exporter", "domain-exporter", "dns-exporter", "ping-exporter", "smokeping-prober", "smokeping", "cloudprober", "synthetic-monitoring-agent", "script-exporter", "http-exporter"}, jobs: []string{"blackbox", "probe", "ping", "icmp", "synthetic", "synthetics", "ssl", "uptime"}, ports: []int{9115, 9219, 9793, 9374}},
	{name: "snmp", watches: watchesProbed, names: []string{"snmp-exporter", "prometheus-snmp-exporter", "mikrotik-exporter", "junos-exporter", "cisco-exporter", "unifi-exporter", "unpoller", "fortigate-exporter", "aruba-exporter", "arista-exporter", "gnmic", "mktxp"}, jobs: []string{"snmp", "network", "switches", "mikrotik", "unifi"}, ports: []int{9116, 9436, 9130}},
	{name: "ups", watches: watchesProbed, names: []string{"nut-exporter", "apcupsd-exporter", "prometheus-nut-exporter"}, jobs: []string{"nut", "ups", "apcupsd"}, ports: []int{9199, 9162}},
	{name: "json", watches: watchesProbed, names: []string{"json-exporter", "sql-exporter", "modbus-exporter", "mqtt-exporter", "restic-exporter", "ecs-exporter"}, ports: []int{7979, 9399}},
	{name: "pushgateway", watches: watchesProbed, names: []string{"pushgateway", "prometheus-pushgateway", "prom-pushgateway", "push-gateway", "prom-aggregation-gateway", "statsd-exporter", "graphite-exporter", "influxdb-exporter"}, jobs: []string{"pushgateway", "push", "statsd", "graphite"}, ports: []int{9091, 9102, 9108, 9122}},
	{name: "otel", watches: watchesProbed, names: []string{"otel-collector", "otelcol", "otelcol-contrib", "opentelemetry-collector", "otel-agent", "otel-gateway", "grafana-agent", "grafana-alloy", "alloy", "servicemap-exporter", "spanmetrics", "tempo-metrics-generator", "beyla", "pixie"}, jobs: []string{"otel", "otelcol", "opentelemetry", "servicemap"}, ports: []int{8888, 8889}},
	{name: "federate", watches: watchesProbed, names: []string{"federate", "prometheus-federate", "federation"}, jobs: []string{"federate", "federation", "federated"}},
	{name: "vmware", watches: watchesOthers, names: []string{"vmware-exporter", "vsphere-exporter", "govc-exporter", "vcenter-exporter", "vmware-vcenter"}, jobs: []string{"vmware", "vsphere", "vcenter", "esxi"}, ports: []int{9272}},
	{name: "proxmox", watches: watchesProbed, names: []string{"pve-exporter", "prometheus-pve-exporter", "proxmox-exporter"}, jobs: []string{"pve", "proxmox"}, ports: []int{9221}},
	{name: "libvirt", watches: watchesMachine, names: []string{"libvirt-exporter", "prometheus-libvirt-exporter", "kvm-exporter", "hyperv-exporter", "xen-exporter", "incus", "lxd"}, jobs: []string{"libvirt", "libvirtd", "kvm", "hyperv"}, ports: []int{9177}},
	{name: "openstack", watches: watchesOthers, names: []string{"openstack-exporter", "nova-exporter", "kubevirt-exporter", "virt-handler", "ovirt-exporter", "nutanix-exporter"}, jobs: []string{"openstack", "kubevirt", "ovirt", "nutanix"}, ports: []int{9180}},
	{name: "cloud", watches: watchesOthers, names: []string{"cloudwatch-exporter", "prometheus-cloudwatch-exporter", "yace", "yet-another-cloudwatch-exporter", "stackdriver-exporter", "azure-metrics-exporter", "azure-exporter", "azure-resourcemanager-exporter", "rds-exporter", "gcp-exporter", "digitalocean-exporter", "hcloud-exporter", "scaleway-exporter", "aliyun-exporter"}, jobs: []string{"cloudwatch", "stackdriver", "azure", "aws", "rds", "gcp", "cloud"}, ports: []int{9106, 9255, 9042}},
	{name: "cert-manager", watches: watchesOthers, names: []string{"cert-manager"}, jobs: []string{"cert-manager"}, ports: []int{9402}},
	{name: "nginx", watches: watchesOthers, names: []string{"ingress-nginx", "ingress-nginx-controller", "nginx-ingress", "nginx-ingress-controller", "ingress-controller"}, jobs: []string{"ingress"}, ports: []int{10254}},
	{name: "traefik", watches: watchesOthers, names: []string{"traefik", "traefik-ingress"}},
	{name: "envoy", watches: watchesOthers, names: []string{"istio-ingressgateway", "contour", "envoy-gateway", "kong", "kong-ingress", "istio-mesh", "haproxy-ingress"}},
	{name: "haproxy", watches: watchesBeside, names: []string{"haproxy-exporter", "haproxy"}, jobs: []string{"haproxy"}, ports: []int{9101, 8404, 8405}, engine: []string{"haproxy"}},
	{name: "nginx-exporter", watches: watchesBeside, names: []string{"nginx-exporter", "nginx-prometheus-exporter", "nginx-vts-exporter", "nginxlog-exporter"}, ports: []int{9113, 9913, 4040}, engine: []string{"nginx", "openresty"}},
	{name: "apache", watches: watchesBeside, names: []string{"apache-exporter", "httpd-exporter"}, ports: []int{9117}, engine: []string{"apache", "apache2", "httpd"}},
	{name: "postgres", watches: watchesBeside, names: []string{"postgres-exporter", "postgresql-exporter", "prometheus-postgres-exporter", "pgbouncer-exporter", "patroni-exporter", "pgbackrest-exporter", "pgpool-exporter", "pgscv", "pgexporter"}, jobs: []string{"postgres", "postgresql", "pgsql", "pgbouncer"}, ports: []int{9187, 9127, 9854}, engine: []string{"postgres", "postgresql", "timescaledb"}},
	{name: "mysql", watches: watchesBeside, names: []string{"mysqld-exporter", "mysql-exporter", "prometheus-mysql-exporter", "mariadb-exporter", "galera-exporter", "proxysql-exporter"}, jobs: []string{"mysql", "mysqld", "mariadb", "galera"}, ports: []int{9104, 42004}, engine: []string{"mysql", "mysqld", "mariadb", "mariadbd", "percona"}},
	{name: "redis", watches: watchesBeside, names: []string{"redis-exporter", "prometheus-redis-exporter", "valkey-exporter", "sentinel-exporter", "oliver006-redis-exporter"}, jobs: []string{"redis", "valkey"}, ports: []int{9121}, engine: []string{"redis", "redis-server", "valkey", "valkey-server", "keydb"}},
	{name: "memcached", watches: watchesBeside, names: []string{"memcached-exporter"}, jobs: []string{"memcached"}, ports: []int{9150}, engine: []string{"memcached"}},
	{name: "mongodb", watches: watchesBeside, names: []string{"mongodb-exporter", "mongo-exporter", "percona-mongodb-exporter"}, jobs: []string{"mongodb", "mongo", "mongod"}, ports: []int{9216}, engine: []string{"mongodb", "mongod", "mongo"}},
	{name: "elasticsearch", watches: watchesBeside, names: []string{"elasticsearch-exporter", "prometheus-elasticsearch-exporter", "opensearch-exporter"}, jobs: []string{"elasticsearch", "elastic", "opensearch"}, ports: []int{9114}, engine: []string{"elasticsearch", "opensearch", "elastic"}},
	{name: "rabbitmq", watches: watchesBeside, names: []string{"rabbitmq-exporter", "prometheus-rabbitmq-exporter"}, jobs: []string{"rabbitmq"}, ports: []int{9419, 15692}, engine: []string{"rabbitmq", "rabbitmq-server"}},
	{name: "kafka", watches: watchesBeside, names: []string{"kafka-exporter", "prometheus-kafka-exporter", "kafka-lag-exporter", "kminion", "burrow-exporter", "kafka-minion"}, jobs: []string{"kafka"}, ports: []int{9308}, engine: []string{"kafka", "redpanda"}},
	{name: "nats", watches: watchesBeside, names: []string{"nats-exporter", "prometheus-nats-exporter", "activemq-exporter", "mosquitto-exporter", "zookeeper-exporter"}, ports: []int{7777}, engine: []string{"nats", "nats-server", "activemq", "mosquitto", "zookeeper"}},
	{name: "ceph", watches: watchesBeside, names: []string{"ceph-exporter", "rook-ceph-mgr", "ceph-mgr", "radosgw-usage-exporter"}, jobs: []string{"ceph"}, ports: []int{9283}, engine: []string{"ceph", "ceph-osd", "ceph-mon", "ceph-mgr"}},
	{name: "storage", watches: watchesBeside, names: []string{"glusterfs-exporter", "gluster-exporter", "minio-exporter", "netapp-exporter", "harvest", "pure-exporter", "synology-exporter", "truenas-exporter"}, jobs: []string{"gluster", "glusterfs", "minio"}, engine: []string{"glusterd", "glusterfs", "minio"}},
	{name: "mssql", watches: watchesBeside, names: []string{"mssql-exporter", "sqlserver-exporter", "oracledb-exporter", "oracle-exporter", "clickhouse-exporter", "cassandra-exporter", "couchdb-exporter", "consul-exporter", "etcd-exporter", "influx-exporter", "vault-exporter"}, jobs: []string{"mssql", "sqlserver", "oracle", "cassandra", "clickhouse"}, ports: []int{9161, 9107}, engine: []string{"mssql", "sqlserver", "sqlservr", "oracle", "clickhouse", "clickhouse-server", "cassandra", "couchdb", "consul", "etcd", "influxdb"}},
	{name: "jvm", watches: watchesBeside, names: []string{"jmx-exporter", "php-fpm-exporter", "phpfpm-exporter", "varnish-exporter", "squid-exporter", "bind-exporter", "unbound-exporter", "postfix-exporter", "dovecot-exporter", "gitlab-exporter", "jenkins-exporter", "uwsgi-exporter"}, ports: []int{9253, 9131, 9119, 9167, 9154, 9166}, engine: []string{"php-fpm", "varnish", "squid", "named", "bind", "unbound", "postfix", "dovecot"}},
}

// targetLabels are those that service discovery and scrape configurations put on a
// target: of a watcher they are its own.
var targetLabels = []string{
	"instance", "job", "endpoint", "container", "service", "node", "pod", "pod_name", "kubernetes_pod_name", "kubernetes_node", "kubernetes_name", "kubernetes_namespace",
	"app", "app_kubernetes_io_name", "app_kubernetes_io_instance", "app.kubernetes.io/name", "k8s_app", "component",
}
