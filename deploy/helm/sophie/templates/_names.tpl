{{/* The name of everything that belongs to one release. */}}
{{- define "sophie.name" -}}
{{- if contains "sophie" .Release.Name }}{{ .Release.Name | trunc 52 | trimSuffix "-" }}{{ else }}{{ printf "%s-sophie" (.Release.Name | trunc 45 | trimSuffix "-") }}{{ end }}
{{- end }}

{{/* By what the pods are found: never to be changed within a release. */}}
{{- define "sophie.selector" -}}
app.kubernetes.io/name: sophie
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "sophie.labels" -}}
{{ include "sophie.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{/* The Secret whose keys are environment variables. */}}
{{- define "sophie.secret" -}}
{{- .Values.secrets.existing | default (include "sophie.name" .) }}
{{- end }}
