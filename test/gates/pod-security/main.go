// Tells which pods of the manifests Kubernetes would not admit into a namespace that enforces the Pod Security Standard
// "restricted", by the code of the admission plugin itself:
//
//	pod-security FILE...
//
// Exit code 0: all are admitted, 1: some are not, 2: a file cannot be read, or has no object in it.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/yaml"
)

type object struct {
	metav1.TypeMeta
	Metadata metav1.ObjectMeta
}

// podOf gives the pod that an object is or makes, nil where it makes none.
func podOf(kind string, document []byte) (*corev1.PodTemplateSpec, error) {
	type makesPods struct {
		Spec struct{ Template corev1.PodTemplateSpec }
	}
	switch kind {
	case "Pod":
		var pod corev1.PodTemplateSpec
		return &pod, yaml.Unmarshal(document, &pod)
	case "DaemonSet", "Deployment", "Job", "ReplicaSet", "ReplicationController", "StatefulSet":
		var workload makesPods
		return &workload.Spec.Template, yaml.Unmarshal(document, &workload)
	case "CronJob":
		var cronJob struct {
			Spec struct{ JobTemplate makesPods }
		}
		return &cronJob.Spec.JobTemplate.Spec.Template, yaml.Unmarshal(document, &cronJob)
	}
	return nil, nil
}

func run(files []string) (violations int, err error) {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		return 0, err
	}
	restricted := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	for _, name := range files {
		file, err := os.Open(name)
		if err != nil {
			return 0, err
		}
		objects, pods := 0, 0
		for reader := utilyaml.NewYAMLReader(bufio.NewReader(file)); ; {
			document, err := reader.Read()
			if errors.Is(err, io.EOF) {
				break
			}
			var object object
			if err == nil {
				err = yaml.Unmarshal(document, &object)
			}
			if err != nil {
				return 0, fmt.Errorf("%s: %w", name, err)
			}
			if object.Kind == "" {
				continue
			}
			objects++
			pod, err := podOf(object.Kind, document)
			if err != nil {
				return 0, fmt.Errorf("%s: %s %q: %w", name, object.Kind, object.Metadata.Name, err)
			}
			if pod == nil {
				continue
			}
			pods++
			if len(pod.Spec.Containers) == 0 {
				return 0, fmt.Errorf("%s: %s %q has no containers", name, object.Kind, object.Metadata.Name)
			}
			for _, result := range evaluator.EvaluatePod(restricted, &pod.ObjectMeta, &pod.Spec) {
				if !result.Allowed {
					violations++
					fmt.Printf("%s: %s %s/%s: %s (%s)\n", name, object.Kind, object.Metadata.Namespace, object.Metadata.Name, result.ForbiddenReason, result.ForbiddenDetail)
				}
			}
		}
		file.Close()
		if objects == 0 {
			return 0, fmt.Errorf("%s: there is no object in it", name)
		}
		fmt.Printf("%s: %d objects, %d with pods\n", name, objects, pods)
	}
	return violations, nil
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: pod-security FILE...")
		os.Exit(2)
	}
	violations, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "pod-security:", err)
		os.Exit(2)
	}
	if violations > 0 {
		os.Exit(1)
	}
}
