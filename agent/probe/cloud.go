package probe

import (
	"encoding/json"
	"strings"

	"github.com/watchbill/watchbill/cmdb/report"
)

// cloud reads which instance of which provider this is, from local evidence
// only: what cloud-init wrote, and what the firmware says. No metadata service
// is asked, so nothing leaves the host and nothing waits.
func (t Tree) cloud() *report.Cloud {
	out := t.cloudInit()
	firm := t.cloudFirmware()
	switch {
	case out == nil:
		return firm
	case firm != nil && firm.Provider == out.Provider && out.InstanceID == "":
		out.InstanceID = firm.InstanceID
	}
	if out.InstanceID == "" {
		return nil
	}
	return out
}

// cloudInit reads cloud-init's own summary. The part that everybody may read
// holds no user data and no secrets.
func (t Tree) cloudInit() *report.Cloud {
	data, err := t.read("/run/cloud-init/instance-data.json")
	if err != nil {
		return nil
	}
	return parseCloudInit(data)
}

func parseCloudInit(data []byte) *report.Cloud {
	var doc struct {
		V1 struct {
			CloudName  string `json:"cloud_name"`
			CloudID    string `json:"cloud_id"`
			InstanceID string `json:"instance_id"`
			Region     string `json:"region"`
			Zone       string `json:"availability_zone"`
		} `json:"v1"`
		DS struct {
			Dynamic struct {
				Document struct {
					Account string `json:"accountId"`
					Type    string `json:"instanceType"`
				} `json:"instance-identity/document"`
			} `json:"dynamic"`
			Meta struct {
				Type string `json:"instance-type"`
				IMDS struct {
					Compute struct {
						Subscription string `json:"subscriptionId"`
						Size         string `json:"vmSize"`
						ID           string `json:"vmId"`
					} `json:"compute"`
				} `json:"imds"`
			} `json:"meta_data"`
		} `json:"ds"`
	}
	if json.Unmarshal(data, &doc) != nil {
		return nil
	}
	provider := cloudName(doc.V1.CloudName)
	if provider == "" {
		provider = cloudName(doc.V1.CloudID)
	}
	if provider == "" {
		return nil
	}
	out := &report.Cloud{Provider: provider, InstanceID: doc.V1.InstanceID, Region: doc.V1.Region, Zone: doc.V1.Zone}
	out.Account = firstOf(doc.DS.Dynamic.Document.Account, doc.DS.Meta.IMDS.Compute.Subscription)
	out.Type = firstOf(doc.DS.Dynamic.Document.Type, doc.DS.Meta.Type, doc.DS.Meta.IMDS.Compute.Size)
	return out
}

// cloudName maps cloud-init's names to ours; data sources that are no
// provider's ("nocloud", "none", a config drive) name no instance.
func cloudName(name string) string {
	switch name = strings.ToLower(name); name {
	case "", "none", "nocloud", "configdrive", "ovf", "unknown", "fallback", "vmware", "lxd", "maas":
		return ""
	case "aws", "ec2":
		return "aws"
	case "gce":
		return "gcp"
	}
	return name
}

// cloudFirmware knows how providers mark their machines' DMI tables.
func (t Tree) cloudFirmware() *report.Cloud {
	vendor, product := t.text(dmi+"sys_vendor"), t.text(dmi+"product_name")
	serial, uuid := t.text(dmi+"product_serial"), t.text(dmi+"product_uuid")
	asset, chassis := t.text(dmi+"board_asset_tag"), t.text(dmi+"chassis_asset_tag")
	found := func(provider, id string) *report.Cloud {
		if id == "" {
			return nil
		}
		return &report.Cloud{Provider: provider, InstanceID: id}
	}
	switch {
	case vendor == "Amazon EC2" && strings.HasPrefix(asset, "i-"):
		c := found("aws", asset)
		c.Type = product
		return c
	case chassis == "7783-7084-3265-9085-8269-3286-77":
		return found("azure", strings.ToLower(uuid))
	case vendor == "DigitalOcean":
		return found("digitalocean", serial)
	case vendor == "Hetzner" && product == "vServer":
		return found("hetzner", serial)
	case vendor == "Vultr":
		return found("vultr", serial)
	case vendor == "Akamai" || vendor == "Linode":
		return found("linode", serial)
	case vendor == "Alibaba Cloud":
		return found("alibaba", strings.ToLower(firstOf(serial, uuid)))
	case vendor == "Scaleway":
		return found("scaleway", strings.ToLower(uuid))
	case chassis == "OracleCloud.com":
		return found("oracle", strings.ToLower(uuid))
	case strings.Contains(product, "OpenStack"):
		return found("openstack", strings.ToLower(uuid))
	case product == "Google Compute Engine" && strings.HasPrefix(serial, "GoogleCloud-"):
		return found("gcp", strings.TrimPrefix(serial, "GoogleCloud-"))
	}
	return nil
}

func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}
