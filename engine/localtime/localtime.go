// Package localtime reads and writes DATETIME columns that hold the wall clock of a place, as programs leave behind
// whose DSN said loc=Local. The engine's handle reads times as UTC, so such a column needs a serializer:
//
//	schema.RegisterSerializer("shanghai", localtime.In(shanghai))
//
//	CreatedAt time.Time `gorm:"serializer:shanghai"`
//
// Go sees the moment that is meant, and the column keeps the wall clock. Columns of the type TIMESTAMP need none: the
// server turns them to the zone of the session.
package localtime

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"gorm.io/gorm/schema"
)

// Serializer is gorm's serializer for the fields of one zone, of type time.Time or *time.Time. It is safe for
// concurrent use.
//
// A wall clock is no moment for certain where a zone has summer time: an hour in autumn is there twice, and one in spring
// is not there. What is read in the first is taken for one of the two, as time.Date does, and written back as it was.
type Serializer struct{ zone *time.Location }

var _ schema.SerializerInterface = Serializer{}

// In returns the serializer for columns with the wall clock of zone.
func In(zone *time.Location) Serializer { return Serializer{zone} }

// Scan takes a wall clock for the moment at which it was so in the zone.
func (s Serializer) Scan(ctx context.Context, field *schema.Field, dst reflect.Value, value any) error {
	target := field.ReflectValueOf(ctx, dst)
	if value == nil {
		target.SetZero()
		return nil
	}
	wall, ok := value.(time.Time)
	if !ok {
		return fmt.Errorf("localtime: column %s: a %T is no time", field.DBName, value)
	}
	moment := wall
	if !wall.IsZero() {
		moment = as(wall, s.zone)
	}
	switch target.Interface().(type) {
	case time.Time:
		target.Set(reflect.ValueOf(moment))
	case *time.Time:
		target.Set(reflect.ValueOf(&moment))
	default:
		return fmt.Errorf("localtime: field %s is a %v, not a time.Time", field.Name, field.FieldType)
	}
	return nil
}

// Value is the wall clock of the zone at a moment.
func (s Serializer) Value(_ context.Context, field *schema.Field, _ reflect.Value, value any) (any, error) {
	switch moment := value.(type) {
	case time.Time:
		if moment.IsZero() {
			return moment, nil
		}
		return as(moment.In(s.zone), time.UTC), nil
	case *time.Time:
		if moment == nil {
			return nil, nil
		}
		return as(moment.In(s.zone), time.UTC), nil
	}
	return nil, fmt.Errorf("localtime: field %s is a %v, not a time.Time", field.Name, field.FieldType)
}

// as is the same wall clock in a zone.
func as(t time.Time, zone *time.Location) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), zone)
}
