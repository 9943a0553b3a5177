package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"example.com/orderd/cmd/orderd/internal/problem"
	"example.com/orderd/cmd/orderd/internal/web"
	"example.com/orderd/engine"
	"example.com/orderd/engine/diagram"
)

type machinesOutput struct {
	Body struct {
		Data []engine.Description `json:"data" nullable:"false" doc:"By name."`
	}
}

type machineOutput struct{ Body engine.Description }

type machineName struct {
	Name string `path:"name" doc:"The machine, such as order."`
}

type diagramInput struct {
	Name    string `path:"name" doc:"The machine, such as order."`
	Format  string `query:"format" enum:"svg,mermaid,dot" default:"svg" doc:"svg, mermaid or dot."`
	Current string `query:"current" maxLength:"64" doc:"A state to highlight."`
}

type diagramOutput struct {
	ContentType string `header:"Content-Type"`
	Body        []byte
}

func (a *api) registerMachines() {
	register(a, huma.Operation{
		OperationID: "list-machines", Method: http.MethodGet, Path: "/v1/machines",
		Tags: []string{"machines"}, Summary: "All machines with their states, events and edges.",
	}, reading, func(context.Context, *struct{}) (*machinesOutput, error) {
		out := &machinesOutput{}
		out.Body.Data = a.Engine.Machines()
		return out, nil
	})
	register(a, huma.Operation{
		OperationID: "get-machine", Method: http.MethodGet, Path: "/v1/machines/{name}",
		Tags: []string{"machines"}, Summary: "One machine.",
	}, reading, func(_ context.Context, in *machineName) (*machineOutput, error) {
		d, err := a.machine(in.Name)
		if err != nil {
			return nil, err
		}
		return &machineOutput{Body: d}, nil
	})
	register(a, huma.Operation{
		OperationID: "draw-machine", Method: http.MethodGet, Path: "/v1/machines/{name}/diagram",
		Tags: []string{"machines"}, Summary: "A drawing of one machine.",
		Responses: map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{
			"image/svg+xml": {}, "text/plain": {}, "text/vnd.graphviz": {},
		}}},
	}, reading, a.draw)
}

func (a *api) machine(name string) (engine.Description, error) {
	for _, d := range a.Engine.Machines() {
		if d.Name == name {
			return d, nil
		}
	}
	return engine.Description{}, problem.New(problem.NotFound, "there is no machine %q", name)
}

func (a *api) draw(_ context.Context, in *diagramInput) (*diagramOutput, error) {
	d, err := a.machine(in.Name)
	if err != nil {
		return nil, err
	}
	text, contentType, ok := web.Draw(in.Format, d, diagram.View{Current: engine.State(in.Current)})
	if !ok {
		return nil, problem.New(problem.BadRequest, "the format is not known").At("query.format", "want svg, mermaid or dot")
	}
	return &diagramOutput{ContentType: contentType, Body: []byte(text)}, nil
}
