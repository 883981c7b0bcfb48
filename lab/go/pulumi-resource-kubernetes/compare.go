package main

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

type propertyDiffs map[string]*pulumirpc.PropertyDiff

// comparison collects what differs between two objects, and which differences replace the object.
type comparison struct {
	replacing []string
	diffs     propertyDiffs
}

// compareObjects lists the differences between an object as it is and as it is wanted, by property path. replacing are
// the fields whose change replaces the object.
func compareObjects(old, new map[string]any, replacing []string) propertyDiffs {
	c := comparison{replacing: replacing, diffs: propertyDiffs{}}
	c.maps(nil, old, new)
	return c.diffs
}

func (c comparison) maps(path fieldPath, old, new map[string]any) {
	for key, value := range new {
		if before, found := old[key]; found {
			c.values(path.child(key), before, value)
		} else {
			c.added(path.child(key), value)
		}
	}
	for key := range old {
		if _, found := new[key]; !found {
			c.removed(path.child(key))
		}
	}
}

func (c comparison) lists(path fieldPath, old, new []any) {
	for index := range max(len(old), len(new)) {
		switch at := path.child(index); {
		case index >= len(old):
			c.added(at, new[index])
		case index >= len(new):
			c.removed(at)
		default:
			c.values(at, old[index], new[index])
		}
	}
}

func (c comparison) values(path fieldPath, old, new any) {
	oldMap, oldIsMap := old.(map[string]any)
	newMap, newIsMap := new.(map[string]any)
	oldList, oldIsList := old.([]any)
	newList, newIsList := new.([]any)
	switch {
	case oldIsMap && newIsMap:
		c.maps(path, oldMap, newMap)
	case oldIsList && newIsList:
		c.lists(path, oldList, newList)
	case !equalScalars(old, new):
		c.changed(path, new)
	}
}

func (c comparison) added(path fieldPath, value any) {
	kind := pulumirpc.PropertyDiff_ADD
	if c.replaces(path, value) {
		kind = pulumirpc.PropertyDiff_ADD_REPLACE
	}
	c.diffs[path.String()] = &pulumirpc.PropertyDiff{Kind: kind}
}

func (c comparison) changed(path fieldPath, value any) {
	kind := pulumirpc.PropertyDiff_UPDATE
	if c.replaces(path, value) {
		kind = pulumirpc.PropertyDiff_UPDATE_REPLACE
	}
	c.diffs[path.String()] = &pulumirpc.PropertyDiff{Kind: kind}
}

// A removal is marked as one of inputs: the state's outputs still have the field, and the engine would otherwise show
// its value from there as if it stayed.
func (c comparison) removed(path fieldPath) {
	kind := pulumirpc.PropertyDiff_DELETE
	if c.replaces(path, nil) || (len(path) == 1 && path[0] == "metadata") {
		kind = pulumirpc.PropertyDiff_DELETE_REPLACE
	}
	c.diffs[path.String()] = &pulumirpc.PropertyDiff{Kind: kind, InputDiff: true}
}

func (c comparison) replaces(path fieldPath, value any) bool {
	for _, field := range c.replacing {
		if touches(field, path, value) {
			return true
		}
	}
	return false
}

// equalScalars takes numbers by their value: state holds every number as a float, the API's objects hold integers. A
// value that is not known yet equals nothing.
func equalScalars(old, new any) bool {
	if _, unknown := new.(resource.Computed); unknown {
		return false
	}
	oldNumber, oldIsNumber := number(old)
	newNumber, newIsNumber := number(new)
	if oldIsNumber && newIsNumber {
		return oldNumber == newNumber
	}
	return reflect.DeepEqual(old, new)
}

func number(value any) (float64, bool) {
	switch value := value.(type) {
	case int64:
		return float64(value), true
	case float64:
		return value, true
	default:
		return 0, false
	}
}

// String writes the path as the engine reads it: data.key, spec.list[0], data["key.with.dots"].
func (p fieldPath) String() string {
	var text strings.Builder
	for _, step := range p {
		switch key, isKey := step.(string); {
		case !isKey:
			fmt.Fprintf(&text, "[%d]", step)
		case strings.ContainsAny(key, `."[]`):
			fmt.Fprintf(&text, `["%s"]`, strings.ReplaceAll(key, `"`, `\"`))
		case text.Len() == 0:
			text.WriteString(key)
		default:
			text.WriteString("." + key)
		}
	}
	return text.String()
}
